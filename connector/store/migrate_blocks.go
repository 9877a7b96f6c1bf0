package store

import (
	"context"
	"database/sql"
	"strings"
	"time"

	"usherd/connector"
)

const sqlSingleRequests = `SELECT org, source, id, at, method, path, query, status, scim_type, person, user_id, took, profile, quirks, ref, bytes_in, bytes_out, remote
 FROM requests WHERE org > ? OR org = ? AND source > ? OR org = ? AND source = ? AND id > ? ORDER BY org, source, id LIMIT 10000`

// fillBlocks puts requests that were logged by a row each into blocks, and drops their table.
func fillBlocks(ctx context.Context, s *session) error {
	var last connector.Request
	for {
		rows, err := s.query(ctx, sqlSingleRequests, last.Org, last.Org, last.Source, last.Org, last.Source, last.ID[:])
		list, err := add[connector.Request](nil, rows, err, scanSingleRequest)
		if err != nil {
			return err
		}
		if len(list) == 0 {
			return drain(s.stream(ctx, `DROP TABLE requests`))
		}
		last = list[len(list)-1]
		blocks, err := placed(ctx, s, list)
		if err != nil {
			return err
		}
		if err := s.batch(ctx, func(b *batch) error { return writeBlocks(b, blocks) }); err != nil {
			return err
		}
	}
}

func scanSingleRequest(r *sql.Rows, v *connector.Request) error {
	var took int64
	var quirks string
	err := r.Scan(&v.Org, &v.Source, (*idColumn)(&v.ID), (*timeColumn)(&v.At), &v.Method, &v.Path, &v.Query, &v.Status, &v.ScimType, &v.Person,
		(*idColumn)(&v.User), &took, &v.Profile, &quirks, &v.Ref, &v.BytesIn, &v.BytesOut, &v.Remote)
	v.Duration, v.Quirks = time.Duration(took)*time.Microsecond, strings.Fields(quirks)
	return err
}
