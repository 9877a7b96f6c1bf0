package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"usherd/connector"
	"usherd/connector/provision"
	"usherd/csvfile"
)

// importFlags say which file source a file is for.
type importFlags struct {
	runFlags
	siteLink, preview bool
}

func (a *app) importCmd() *cobra.Command {
	var f importFlags
	cmd := &cobra.Command{
		Use: "import FILE", Short: "Take over the users of an existing site from a CSV file",
		Args: exactArgs("the CSV file, or - for what comes in"),
		Long: `import brings the people of a CSV file, by a source of the organization with an import or site_link block: it
creates those who are nobody's user yet, and links the others to their users. It is a run like any other: usherd
report shows it, usherd rollback puts it back. With --preview nothing is changed, and usherd approve carries out
exactly what was shown, if nothing has moved.

The first line of the file names the columns, as attributes are called (userName, givenName, familyName, email, …)
or labelled (User Name), and package, active (true or false) and id: what tells people apart for ever. Columns
that nobody reads are named. An attribute without a column stays as it is; an empty field says that there is
no value. Commas, semicolons or tabs; UTF-8.

Who does not stand in the file stays as it is. Nobody is created inactive. Of lines with the same id, or the
same user name or address, none is taken.

A new user is verified where the domain of its address is. With --site-link everybody is, whatever the domain:
the site that the people come from has proven who they are.`,
		Example: `  usherd import people.csv --preview
  usherd approve last
  usherd import people.csv --org acme --source moved
  usherd import site.csv --site-link`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withSite(cmd.Context(), func(s *site) error { return a.importFile(cmd.Context(), s, args[0], f) })
		},
	}
	cmd.Flags().StringVar(&f.org, "org", "", "organization (may be left out when there is only one)")
	cmd.Flags().StringVar(&f.source, "source", "", "source (may be left out when there is only one that reads files)")
	cmd.Flags().BoolVar(&f.siteLink, "site-link", false, "the source is a site link: new users are verified at once, whatever their domain")
	cmd.Flags().BoolVar(&f.preview, "preview", false, "show who would be created, linked and refused, and change nothing")
	f.showFlags(cmd)
	return cmd
}

func (a *app) importFile(ctx context.Context, s *site, path string, f importFlags) error {
	o, err := s.org(f.org)
	if err != nil {
		return err
	}
	id, err := importer(o, f.source, f.siteLink)
	if err != nil {
		return err
	}
	file, drop, err := a.fileToRead(path)
	if err != nil {
		return err
	}
	defer drop()
	mode := connector.ModeFull
	if f.preview {
		mode = connector.ModePreview
	}
	return a.runTarget(ctx, s, target{org: o, id: id, file: file}, f.runFlags, provision.SyncRequest{Mode: mode})
}

// importer is the source that reads the file. Whoever verifies everybody says so.
func importer(o *org, source string, siteLink bool) (string, error) {
	kind, block, other, flag := connector.Import, "import", connector.SiteLink, "add --site-link"
	if siteLink {
		kind, block, other, flag = connector.SiteLink, "site_link", connector.Import, "leave --site-link out"
	}
	var ids []string
	if !slices.ContainsFunc(o.Org.Sources, func(s connector.SourceSettings) bool { return s.Kind == other }) {
		flag = ""
	}
	for _, settings := range o.Org.Sources {
		switch {
		case settings.Kind == kind && (source == "" || source == settings.ID):
			ids = append(ids, settings.ID)
		case settings.ID == source && settings.Kind.Brought():
			if siteLink {
				return "", usagef("%s/%s has an import block, so that the domain decides who is verified: leave --site-link out", o.Org.ID, source)
			}
			return "", usagef("%s/%s has a site_link block: everybody in the file will be verified at once; if that is meant, add --site-link", o.Org.ID, source)
		case settings.ID == source:
			return "", usagef("%s/%s %s", o.Org.ID, source, byItselfOrRead(settings.Kind))
		}
	}
	switch {
	case len(ids) == 1:
		return ids[0], nil
	case len(ids) > 1:
		return "", usagef("there are several sources that read such files: name one with --source %s", strings.Join(ids, " | "))
	case source != "":
		return "", usagef("%s has no source %s; see them with: usherd sources", o.Org.ID, source)
	}
	if flag != "" {
		flag = ", or " + flag
	}
	return "", usagef("%s has no source with %s: {}; add one to sources, where its place says which of its attributes count%s", o.Org.ID, block, flag)
}

func byItselfOrRead(kind connector.SourceKind) string {
	if kind == connector.Directory {
		return "is a directory: usherd sync reads it"
	}
	return byItself(kind)
}

// keptFile is a file that a run reads, under the name by which reports call it.
type keptFile struct {
	name string
	open func(context.Context) (io.ReadCloser, error)
}

// fileToRead is the file of a path, or what comes in, which is kept in a temporary file: it is read more than once.
func (a *app) fileToRead(path string) (*keptFile, func(), error) {
	none := func() {}
	if path != "-" {
		st, err := os.Stat(path)
		if errors.Is(err, os.ErrNotExist) {
			return nil, none, usagef("there is no file %s", path)
		}
		if err != nil || !st.Mode().IsRegular() {
			return nil, none, usagef("%s is no file that can be read twice; give - to read what comes in", path)
		}
		return &keptFile{filepath.Base(path), func(context.Context) (io.ReadCloser, error) {
			return os.Open(path) //nolint:gosec // the administrator names it
		}}, none, nil
	}
	tmp, err := os.CreateTemp("", "usherd-import-*.csv")
	if err != nil {
		return nil, none, err
	}
	drop := func() { _ = os.Remove(tmp.Name()) }
	_, err = io.Copy(tmp, a.in)
	if err = errors.Join(err, tmp.Close()); err != nil {
		drop()
		return nil, none, err
	}
	return &keptFile{"stdin", func(context.Context) (io.ReadCloser, error) { return os.Open(tmp.Name()) }}, drop, nil
}

// runFile is the file that a run has read and that waits with it.
func (s *site) runFile(ctx context.Context, run *connector.Run) (*keptFile, error) {
	name, first, err := s.db.RunFile(ctx, run.Org, run.ID)
	if err != nil {
		return nil, err
	}
	_ = first.Close()
	return &keptFile{name, func(ctx context.Context) (io.ReadCloser, error) {
		_, file, err := s.db.RunFile(ctx, run.Org, run.ID)
		return file, err
	}}, nil
}

// keepFile keeps the file of a run that waits for approval, and forgets those for which nothing waits any more.
func (s *site) keepFile(ctx context.Context, a *app, file *keptFile, run *connector.Run) error {
	if run.Hold.Open(a.now()) {
		r, err := file.open(ctx)
		if err != nil {
			return err
		}
		defer r.Close() //nolint:errcheck // nothing is written
		if err := s.db.PutRunFile(ctx, run.Org, run.ID, file.name, r); err != nil {
			return fmt.Errorf("the file could not be kept for an approval: %w", err)
		}
	}
	_, err := s.db.DropRunFiles(ctx, a.now())
	return err
}

// fileSource reads a file as the target says.
func (t target) fileSource(a *app) *csvfile.Source {
	c := t.org.Importers[t.id]
	return csvfile.New(csvfile.Options{Name: t.file.name, Open: t.file.open, Attributes: c.Attributes, ID: c.IDColumn, Now: a.now})
}
