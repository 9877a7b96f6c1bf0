package scim

import (
	"context"

	"usherd/connector"
	"usherd/connector/failure"
)

// lastFailure is what the client's last attempt about a user came to, nil where it went well.
func (x *exchange) lastFailure(ctx context.Context, u *connector.ClientUser) (*failure.Document, error) {
	if !u.Refused {
		return nil, nil //nolint:nilnil // it went well, or it has never tried
	}
	f, err := x.s.o.Store.LastFailure(ctx, x.org.Settings.ID, x.source, u.Anchor)
	if err != nil || f == nil {
		return nil, err
	}
	d := x.s.catalogue.Document(f.Failure, "en")
	return &d, nil
}
