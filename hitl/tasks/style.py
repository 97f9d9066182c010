"""How the labeling page looks: the item on the left, the answers as cards on the right; light and dark alike."""

# The page's own colours are kept, for its dark mode: what is drawn here is transparent. The editor garbles `>` in a
# style, hence no child selectors. Its panels on regions are of no use in a form without regions.
STYLE = """
    .hitl {display: grid; grid-template-columns: minmax(0, 1fr) minmax(0, 1fr); gap: 32px; align-items: start;
      max-width: 1240px; margin: 8px auto 24px; padding: 0 8px}
    @media (max-width: 860px) {.hitl {grid-template-columns: minmax(0, 1fr)}}
    .hitl-item {position: sticky; top: 8px}
    .hitl-item .lsf-object {border: 1px solid rgba(128, 128, 128, .35); border-radius: 10px; padding: 18px 20px;
      max-height: 62vh; overflow: auto}
    .hitl-item .lsf-richtext__container {font-size: 18px; line-height: 1.6; overflow-wrap: anywhere;
      unicode-bidi: plaintext; text-align: start; padding: 0}
    .hitl-where {display: flex; gap: 8px; min-height: 30px}
    .hitl-where h4 {font-size: 12px !important; font-weight: 500 !important; margin: 0 0 8px !important;
      border-radius: 99px; padding: 1px 10px; background: rgba(128, 128, 128, .16)}
    .hitl-region h4::before {content: "Region "; opacity: .65}
    .hitl-language h4::before {content: "Language "; opacity: .65}
    .hitl-where h4:empty, .hitl-guidance:has(h4:empty), .hitl-moments:has(h4:empty) {display: none}
    .hitl-guidance {margin-top: 14px; border-left: 4px solid #d9822b; border-radius: 4px; padding: 8px 14px;
      background: rgba(217, 130, 43, .12)}
    .hitl-guidance::before {content: "What this region's policy adds"; font-weight: 600; font-size: 13px}
    .hitl-guidance h4 {font-size: 14px !important; font-weight: 400 !important; line-height: 1.5;
      margin: 4px 0 0 !important; unicode-bidi: plaintext}
    .hitl-moments {margin-top: 10px}
    .hitl-moments h4 {font-size: 14px !important; font-weight: 500 !important; margin: 0 !important}
    .hitl-moments h4::before {content: "Look at "; opacity: .65}
    .hitl-answer h3 {margin: 0 0 10px !important}
    .hitl-answer .lsf-choice__item {margin: 0 0 6px; width: 100%}
    .hitl-answer .lsf-choice__checkbox {display: flex; width: 100%; position: relative; margin: 0;
      border: 1px solid rgba(128, 128, 128, .35); border-radius: 8px; padding: 8px 44px 8px 12px}
    .hitl-answer .lsf-choice__checkbox:hover {background: rgba(128, 128, 128, .08)}
    .hitl-answer .lsf-choice__checkbox:has(input:checked) {border-color: #4c5fa9; background: rgba(76, 95, 169, .14);
      box-shadow: inset 0 0 0 1px #4c5fa9}
    .hitl-answer .lsf-choice__checkbox:has(.hitl-out) {border-style: dashed}
    .hitl-answer .lsf-choice:not(:has(.hitl-out)) + .lsf-choice:has(.hitl-out) {margin-top: 16px}
    .hitl-choice {line-height: 1.4; overflow-wrap: anywhere}
    .hitl-choice b {display: block; font-weight: 600}
    .hitl-choice span {display: block; font-weight: 400; font-size: 13px; opacity: .75}
    .hitl-answer .lsf-hint {position: absolute; right: 12px; top: 12px; font-size: 12px; opacity: .6}
    .hitl-note {margin-top: 14px}
    .hitl-note h4 {font-size: 14px !important; margin: 0 0 4px !important}
    .hitl-note [data-testid=textarea-submit-section], .lsf-sidepanels__wrapper {display: none}
    .lsf-sidepanels {padding: 0 !important}
  """
