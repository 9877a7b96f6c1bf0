-- since: 15
-- What requests to the API were answered, for a day: one that comes again under its key is not carried out again.
CREATE TABLE kept_answers (
    org     text COLLATE "C" NOT NULL,
    token   bytea  NOT NULL,
    key     bytea  NOT NULL,
    request bytea  NOT NULL,
    begun   bigint NOT NULL,
    sealed  bytea  NOT NULL, -- empty while the work goes on; the token is needed to read it
    PRIMARY KEY (org, token, key)
);
CREATE INDEX kept_answers_begun ON kept_answers (begun);
