"""How the labeling page looks: the item beside the answers, which are cards; light and dark alike."""

# The page's own colours are kept, for its dark mode: what is drawn here is transparent. The editor garbles `>` in a
# style, hence no child selectors. Its panels on regions are of no use in a form whose stretches stand on the timeline.
_PAGE = """
    .hitl {display: grid; grid-template-columns: minmax(0, 1fr) minmax(0, 1fr); gap: 32px; align-items: start;
      max-width: 1240px; margin: 8px auto 24px; padding: 0 8px}
    .hitl-media {grid-template-columns: minmax(0, 5fr) minmax(0, 4fr); max-width: 1440px}
    .hitl-item {position: sticky; top: 8px}
    .hitl-item .lsf-object {border: 1px solid rgba(128, 128, 128, .35); border-radius: 10px; padding: 18px 20px;
      max-height: 62vh; overflow: auto}
    .hitl-where {display: flex; gap: 8px}
    .hitl-where h4 {font-size: 12px !important; font-weight: 500 !important; margin: 0 0 8px !important;
      border-radius: 99px; padding: 1px 10px; background: rgba(128, 128, 128, .16)}
    .hitl-region h4::before {content: "Region "; opacity: .65}
    .hitl-language h4::before {content: "Language "; opacity: .65}
    .hitl-region:has(h4:empty), .hitl-language:has(h4:empty), .hitl-guidance:has(h4:empty), .hitl-moments:has(h4:empty),
    .hitl-opinions:has(h4:empty) {display: none}
    .hitl-guidance, .hitl-opinions {border-left: 4px solid #d9822b; border-radius: 4px; padding: 8px 14px;
      background: rgba(217, 130, 43, .12)}
    .hitl-guidance {margin-top: 14px}
    .hitl-opinions {margin-bottom: 16px; border-color: #4c5fa9; background: rgba(76, 95, 169, .12)}
    .hitl-guidance::before {content: "What this region's policy adds"; font-weight: 600; font-size: 13px}
    .hitl-opinions::before {content: "What others said"; font-weight: 600; font-size: 13px}
    .hitl-guidance h4, .hitl-opinions h4 {font-size: 14px !important; font-weight: 400 !important; line-height: 1.5;
      margin: 4px 0 0 !important; unicode-bidi: plaintext; overflow-wrap: anywhere}
    .hitl-opinions h4 {white-space: pre-line}
    .lsf-sidepanels__wrapper {display: none}
    .lsf-sidepanels {padding: 0 !important}
    @media (max-width: 860px) {.hitl {grid-template-columns: minmax(0, 1fr)} .hitl-item {position: static}
      .hitl-item .lsf-object {max-height: 45vh}}
"""

# Each line goes the way its own first letter goes.
_WORDS = """
    .hitl-item .lsf-richtext__container {font-size: 18px; line-height: 1.6; overflow-wrap: anywhere;
      white-space: pre-wrap; unicode-bidi: plaintext; text-align: start; padding: 0}
    .hitl-item .lsf-richtext__line {display: inline; padding: 0}
    .hitl-item [class*=dialoguetext--] {display: block; font-size: 16px; line-height: 1.6; white-space: pre-wrap;
      overflow-wrap: anywhere; unicode-bidi: plaintext; text-align: start}
    .hitl-item [class*=dialoguename--] {color: inherit !important; font-weight: 600; unicode-bidi: isolate}
    .hitl-item [class*=phrase--] {background: transparent !important; padding-right: 16px !important}
    .hitl-item [class*=time--], .hitl-item [class*=selectAllBtnWrapper--], .hitl-item [class*=wrapper_header--]
      {display: none}
    .hitl-item [class*=phraseContainer--], .hitl-item [class*=phrase--] {max-width: none; width: 100%}
    .hitl-item [class*=wrapperText--] {display: block; width: 100%}
    .hitl-item [class*=paragraphs--] {padding: 12px}
    .hitl-item [class*=container--]:has([class*=phrase--]) {padding: 0; margin: 0}
"""

_SIDES = """
    .hitl-wide {grid-template-columns: minmax(0, 1fr); gap: 20px; max-width: 1440px}
    .hitl-wide .hitl-item {position: static}
    .hitl-prompt {margin-bottom: 12px}
    .hitl-prompt:not(:has(.lsf-richtext__line:not(:empty))) {display: none}
    .hitl-prompt .lsf-object {max-height: 22vh; background: rgba(128, 128, 128, .1)}
    .hitl-sides {display: grid; grid-template-columns: minmax(0, 1fr) minmax(0, 1fr); gap: 16px}
    .hitl-sides .lsf-object {max-height: 44vh; height: 100%}
    .hitl-wide:has(input[name=left]:checked) .hitl-left .lsf-object,
    .hitl-wide:has(input[name=right]:checked) .hitl-right .lsf-object {border-color: #4c5fa9;
      background: rgba(76, 95, 169, .1); box-shadow: inset 0 0 0 1px #4c5fa9}
    .hitl-wide .hitl-answer .lsf-choices {display: flex; flex-wrap: wrap; gap: 8px; align-items: stretch}
    .hitl-wide .hitl-answer .lsf-choice {flex: 1 1 180px; margin-top: 0 !important; display: flex}
    .hitl-wide .hitl-answer .lsf-choices::before {content: ""; order: 1; flex-basis: 100%}
    .hitl-wide .hitl-answer .lsf-choice:has(.hitl-out) {order: 2}
"""

_ANSWERS = """
    .hitl-answer h3 {margin: 0 0 10px !important}
    .hitl-answer .lsf-choice__item {margin: 0 0 6px; width: 100%}
    .hitl-answer .lsf-choice__checkbox {display: flex; align-items: flex-start; width: 100%; height: 100%;
      position: relative; margin: 0; border: 1px solid rgba(128, 128, 128, .35); border-radius: 8px;
      padding: 8px 44px 8px 12px}
    .hitl-answer .lsf-choice__checkbox::after {display: none}
    .hitl-answer .lsf-choice__checkbox span:has(.hitl-choice) {display: block; flex: 1}
    .hitl-answer .ant-checkbox, .hitl-answer .ant-radio {top: 2px; margin: 0}
    .hitl-answer .lsf-choice__checkbox:hover {background: rgba(128, 128, 128, .08)}
    .hitl-answer .lsf-choice__checkbox:has(input:checked) {border-color: #4c5fa9; background: rgba(76, 95, 169, .14);
      box-shadow: inset 0 0 0 1px #4c5fa9}
    .hitl-answer .lsf-choice__checkbox:has(input:focus-visible), .hitl-show label:has(input:focus-visible)
      {outline: 2px solid #4c5fa9; outline-offset: 2px}
    .hitl-answer .lsf-choice__checkbox:has(.hitl-out) {border-style: dashed}
    .hitl-answer .lsf-choice:not(:has(.hitl-out)) + .lsf-choice:has(.hitl-out) {margin-top: 16px}
    .hitl-choice {line-height: 1.4; overflow-wrap: anywhere}
    .hitl-choice b {display: block; font-weight: 600; unicode-bidi: plaintext}
    .hitl-choice span {display: block; font-weight: 400; font-size: 13px; opacity: .75; unicode-bidi: plaintext}
    .hitl-answer .lsf-hint {position: absolute; right: 12px; top: 12px; font-size: 12px; opacity: .6}
    .hitl-note, .hitl-ratings {margin-top: 14px}
    .hitl-note h4, .hitl-criterion h4 {font-size: 14px !important; margin: 0 0 4px !important; unicode-bidi: plaintext}
    .hitl-criterion {padding: 8px 0; border-top: 1px solid rgba(128, 128, 128, .25)}
    .hitl-criterion h4 + h4 {font-weight: 400 !important; font-size: 13px !important; opacity: .8}
    .hitl-note textarea {unicode-bidi: plaintext; text-align: start}
    .hitl-note [data-testid=textarea-submit-section] {display: none}
"""

# All of a blurred picture is the label of the box that shows it: a click anywhere ticks it, as the key does.
_MEDIA = """
    .hitl-media .lsf-object {max-height: none; padding: 12px}
    .hitl-moments {margin-top: 10px}
    .hitl-moments h4, .hitl-stretches h4 {font-size: 14px !important; font-weight: 500 !important; margin: 0 !important}
    .hitl-moments h4::before {content: "Look at "; opacity: .65}
    .hitl-stretches {margin-top: 10px}
    .hitl-show, .hitl-show .lsf-choices {display: block !important}
    .hitl-show :is(.lsf-choices, .lsf-choice, .lsf-choice__item, label, label span)
      {position: static; width: fit-content !important; margin: 0; padding: 0}
    .hitl-show .lsf-choices label {display: block; margin-bottom: 8px; padding: 0 12px; border-radius: 99px;
      height: 24px; line-height: 22px; border: 1px solid rgba(128, 128, 128, .5); font-size: 13px; font-weight: 500;
      cursor: pointer}
    .hitl-show .ant-checkbox {position: absolute !important; opacity: 0}
    .hitl-show .lsf-hint {display: none}
    .hitl-key {font-size: 12px; opacity: .6}
    .hitl-show label:has(input:checked) .hitl-covered, .hitl-show label:not(:has(input:checked)) .hitl-open
      {display: none}
    .hitl-blurred:not(:has(.hitl-show input:checked)) :is(.lsf-image, .konvajs-content, .lsf-video__main)
      {filter: blur(26px) grayscale(1)}
    .hitl-content {position: relative}
    .hitl-show label::after {display: none !important}
    .hitl-show label:not(:has(input:checked))::after {content: "" !important; display: block !important;
      position: absolute; inset: 0; width: auto; height: auto; z-index: 20}
    .hitl-blurred .hitl-content .lsf-object {overflow: hidden}
    .hitl-classify .lsf-timeline__content, .hitl-rubric .lsf-timeline__content {display: none}
"""

STYLE = _PAGE + _WORDS + _SIDES + _ANSWERS + _MEDIA
