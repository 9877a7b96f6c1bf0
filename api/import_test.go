package api_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"usherd/api"
	"usherd/connector"
	"usherd/connector/store/newstore"
)

// importing is a Runner that has files imported by somebody who reads them to their end.
type importing struct {
	idle
	got []api.ImportRequest
	sum []int
}

func (r *importing) Import(_ context.Context, req api.ImportRequest) (connector.ID, error) {
	text, err := os.ReadFile(req.Path)
	if err != nil {
		return connector.ID{}, err
	}
	r.got, r.sum = append(r.got, req), append(r.sum, len(text))
	return connector.ID{1}, os.Remove(req.Path)
}

// A file is taken as it is, once for each key, and nothing is left of one that is refused.
func TestFilesThatAreSent(t *testing.T) {
	tmp := t.TempDir()
	newstore.URL(t) // whose server must not begin in a folder of this account alone
	t.Setenv("TMPDIR", tmp)
	x := &importing{}
	w := newWorld(t, func(w *world) {
		w.runner = x
		w.orgs["acme"].Sources = append(w.orgs["acme"].Sources, connector.SourceSettings{ID: "moved", Kind: connector.Import}, connector.SourceSettings{ID: "site", Kind: connector.SiteLink})
	})
	const path = "/orgs/acme/sources/moved/import"
	c := w.client("acme", connector.APIImport).with("Content-Type", "text/csv; charset=utf-8")
	file := string(bytes.Repeat([]byte("a,b,c\n"), 200_000)) // more than any other body may have
	k := c.with("Idempotency-Key", "k")
	for range 2 {
		if r := k.want(http.StatusAccepted, http.MethodPost, path+"?preview=true&name=p.csv", file); r.Header.Get("Location") == "" {
			t.Error(r.Header)
		}
	}
	k.refused(http.StatusUnprocessableEntity, "key_used", http.MethodPost, path+"?preview=true&name=p.csv", file+"x")
	if len(x.got) != 1 || x.sum[0] != len(file) || x.got[0].Mode != connector.ModePreview || x.got[0].Name != "p.csv" || x.got[0].Source != "moved" {
		t.Fatalf("%d %+v %v", len(x.got), x.got, x.sum)
	}
	c.with("Content-Type", "application/json").refused(http.StatusUnsupportedMediaType, "media_type", http.MethodPost, path, "{}")
	c.refused(http.StatusConflict, "refused", http.MethodPost, "/orgs/acme/sources/idp/import", file)
	c.refused(http.StatusUnprocessableEntity, "invalid_request", http.MethodPost, "/orgs/acme/sources/site/import", file)
	c.want(http.StatusAccepted, http.MethodPost, "/orgs/acme/sources/site/import?site_link=true", file)
	c.refused(http.StatusRequestEntityTooLarge, "too_large", http.MethodPost, path, string(make([]byte, 64<<20+1)))

	// Four come at a time. One that breaks off gives its place back.
	var slow []*io.PipeWriter
	for range 4 {
		in, out := io.Pipe()
		slow = append(slow, out)
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.url+"/api/v1"+path, in)
		w.ok(err)
		r.Header.Set("Authorization", "Bearer "+c.token)
		r.Header.Set("Content-Type", "text/csv")
		go func() {
			if answer, err := http.DefaultClient.Do(r); err == nil {
				_ = answer.Body.Close()
			}
		}()
	}
	for { // until all four have begun
		if list, err := filepath.Glob(filepath.Join(tmp, "usherd-import-*")); err != nil || len(list) == 4 {
			break
		}
	}
	c.refused(http.StatusServiceUnavailable, "busy", http.MethodPost, path, file)
	for _, out := range slow {
		_ = out.CloseWithError(io.ErrUnexpectedEOF)
	}
	for c.do(http.MethodPost, path, "a\n").StatusCode != http.StatusAccepted { // until a place is free
	}
	for {
		if list, err := filepath.Glob(filepath.Join(tmp, "usherd-import-*")); err != nil || len(list) == 0 {
			break
		}
	}
}
