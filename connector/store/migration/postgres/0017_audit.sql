-- since: 16
-- What people have done: a chain for each organization, see connector.AuditEntry. Nothing is ever taken out.
CREATE TABLE audit (
    org     text COLLATE "C" NOT NULL,
    seq     bigint NOT NULL,
    at      bigint NOT NULL,
    actor   text COLLATE "C" NOT NULL,
    address text COLLATE "C" NOT NULL,
    action  text COLLATE "C" NOT NULL,
    target  text COLLATE "C" NOT NULL,
    details text COLLATE "C" NOT NULL, -- JSON
    reason  text COLLATE "C" NOT NULL,
    ref     text COLLATE "C" NOT NULL,
    hash    bytea NOT NULL,
    PRIMARY KEY (org, seq)
);
CREATE INDEX audit_actor ON audit (org, actor, seq);
CREATE INDEX audit_target ON audit (org, target, seq);
