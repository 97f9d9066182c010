CREATE TABLE campaigns (
	campaign VARCHAR(200) NOT NULL,
	started VARCHAR(40) NOT NULL,
	cursor TEXT NOT NULL,
	project TEXT NOT NULL,
	PRIMARY KEY (campaign)
);
CREATE TABLE events (
	campaign VARCHAR(200) NOT NULL,
	number INTEGER NOT NULL,
	at VARCHAR(40) NOT NULL,
	kind VARCHAR(40) NOT NULL,
	detail JSON NOT NULL,
	PRIMARY KEY (campaign, number)
);
CREATE TABLE intents (
	campaign VARCHAR(200) NOT NULL,
	kind VARCHAR(20) NOT NULL,
	"key" VARCHAR(40) NOT NULL,
	value INTEGER NOT NULL,
	done BOOLEAN NOT NULL,
	at VARCHAR(40) NOT NULL,
	PRIMARY KEY (campaign, kind, "key", value)
);
CREATE TABLE metrics (
	campaign VARCHAR(200) NOT NULL,
	round INTEGER NOT NULL,
	sample VARCHAR(20) NOT NULL,
	name VARCHAR(60) NOT NULL,
	label VARCHAR(80) NOT NULL,
	rank INTEGER NOT NULL,
	model_id VARCHAR(80) NOT NULL,
	value FLOAT,
	low FLOAT,
	high FLOAT,
	n INTEGER NOT NULL,
	level FLOAT NOT NULL,
	method TEXT NOT NULL,
	PRIMARY KEY (campaign, round, sample, name, label)
);
CREATE TABLE models (
	campaign VARCHAR(200) NOT NULL,
	round INTEGER NOT NULL,
	model_id VARCHAR(80) NOT NULL,
	folder TEXT NOT NULL,
	card JSON NOT NULL,
	PRIMARY KEY (campaign, round)
);
CREATE TABLE picks (
	campaign VARCHAR(200) NOT NULL,
	round INTEGER NOT NULL,
	item_id TEXT NOT NULL,
	rank INTEGER NOT NULL,
	position INTEGER NOT NULL,
	arm VARCHAR(20) NOT NULL,
	label TEXT DEFAULT '' NOT NULL,
	score FLOAT NOT NULL,
	parts JSON NOT NULL,
	inclusion FLOAT,
	stratum TEXT NOT NULL,
	stands_for INTEGER NOT NULL,
	PRIMARY KEY (campaign, round, item_id)
);
CREATE TABLE policies (
	campaign VARCHAR(200) NOT NULL,
	version VARCHAR(60) NOT NULL,
	text TEXT NOT NULL,
	PRIMARY KEY (campaign, version)
);
CREATE TABLE resolutions (
	campaign VARCHAR(200) NOT NULL,
	round INTEGER NOT NULL,
	item_id TEXT NOT NULL,
	position INTEGER NOT NULL,
	labels JSON,
	confidence FLOAT NOT NULL,
	method VARCHAR(40) NOT NULL,
	policy_version VARCHAR(60) NOT NULL,
	annotations JSON NOT NULL,
	outs JSON NOT NULL,
	PRIMARY KEY (campaign, round, item_id)
);
CREATE TABLE rounds (
	campaign VARCHAR(200) NOT NULL,
	round INTEGER NOT NULL,
	config_hash VARCHAR(64) NOT NULL,
	config JSON NOT NULL,
	seed INTEGER NOT NULL,
	policy_version VARCHAR(60) NOT NULL,
	started VARCHAR(40) NOT NULL,
	PRIMARY KEY (campaign, round)
);
CREATE TABLE schema (
	version INTEGER NOT NULL,
	PRIMARY KEY (version)
);
CREATE TABLE steps (
	campaign VARCHAR(200) NOT NULL,
	round INTEGER NOT NULL,
	step VARCHAR(20) NOT NULL,
	output JSON NOT NULL,
	completed VARCHAR(40) NOT NULL,
	seconds FLOAT NOT NULL,
	PRIMARY KEY (campaign, round, step)
);
CREATE TABLE tasks (
	campaign VARCHAR(200) NOT NULL,
	"key" VARCHAR(40) NOT NULL,
	round INTEGER NOT NULL,
	rank INTEGER NOT NULL,
	item_id TEXT NOT NULL,
	position INTEGER NOT NULL,
	form VARCHAR(40) NOT NULL,
	policy_version VARCHAR(60) NOT NULL,
	region TEXT NOT NULL,
	data JSON NOT NULL,
	priority FLOAT NOT NULL,
	overlap INTEGER NOT NULL,
	predicted JSON NOT NULL,
	model_id VARCHAR(80) NOT NULL,
	server_id VARCHAR(40),
	lost BOOLEAN NOT NULL,
	PRIMARY KEY (campaign, "key")
);
CREATE INDEX ix_tasks_round ON tasks (campaign, round);
CREATE TABLE annotations (
	campaign VARCHAR(200) NOT NULL,
	id VARCHAR(60) NOT NULL,
	revision INTEGER NOT NULL,
	task_key VARCHAR(40) NOT NULL,
	worker VARCHAR(60) NOT NULL,
	answer JSON,
	submitted VARCHAR(40) NOT NULL,
	seconds FLOAT NOT NULL,
	skipped BOOLEAN NOT NULL,
	deleted BOOLEAN NOT NULL,
	problem TEXT NOT NULL,
	mirrored VARCHAR(40) NOT NULL,
	PRIMARY KEY (campaign, id, revision),
	FOREIGN KEY(campaign, task_key) REFERENCES tasks (campaign, "key")
);
CREATE INDEX ix_annotations_task_key ON annotations (campaign, task_key);
