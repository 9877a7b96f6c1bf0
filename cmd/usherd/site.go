package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/user"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"usherd/config"
	"usherd/connector"
	"usherd/connector/domains"
	"usherd/connector/failure"
	"usherd/connector/provision"
	"usherd/connector/store"
	"usherd/connector/subscribers"
	"usherd/ldapsync"
	"usherd/scim/auth"
	"usherd/scim/oauth"
)

// site is the configuration with its store and everything built from both.
type site struct {
	file *config.File
	// since is when the daemon was told to load the configuration again, after which it tries every source;
	// zero since its start.
	since time.Time
	db    *store.DB
	orgs  []*org
	// claims go from one organization to another.
	claims *provision.Claims
	keys   map[auth.Source][]oauth.Key // see readKeys
}

// org is one organization ready to work.
type org struct {
	*config.Runtime
	prov    *provision.Provisioner
	domains *domains.Keeper
	sources map[string]*ldapsync.Source
}

// open loads the configuration, opens the store and puts the parts together.
func (a *app) open(ctx context.Context) (*site, error) {
	file, err := a.load()
	if err != nil {
		return nil, err
	}
	return a.openFile(ctx, file, nil)
}

func (a *app) openFile(ctx context.Context, file *config.File, log *zap.Logger) (*site, error) {
	db, err := store.Open(ctx, file.Config.Store, store.Options{Now: a.now, Log: log, Password: file.Config.StorePassword})
	if err != nil {
		return nil, err
	}
	s := &site{file: file, db: db}
	if err := s.build(a); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return s, nil
}

// build makes the organizations of the configuration from its file. It writes nothing: a command that only
// looks may be given any configuration.
func (s *site) build(a *app) error {
	for _, r := range s.file.Organizations {
		o := &org{Runtime: r, sources: map[string]*ldapsync.Source{}}
		o.prov = provision.New(provision.Options{
			Store: s.db, Org: r.Org, Mappings: r.Mappings, Now: a.now, Process: processName(), Dead: processDead,
		})
		for id, d := range r.Directories {
			src, err := ldapsync.New(ldapsync.Options{
				Config: d.Config, Attributes: d.Attributes, Protected: d.Protected, Packages: d.Packages,
				Resolver: domains.NewResolver(s.file.Config.DNS.Resolver), Now: a.now,
			})
			if err != nil {
				return err
			}
			o.sources[id] = src
		}
		s.orgs = append(s.orgs, o)
	}
	provs := make([]*provision.Provisioner, len(s.orgs))
	for i, o := range s.orgs {
		provs[i] = o.prov
		o.domains = s.keeper(a, o)
	}
	s.claims = provision.NewClaims(s.db, provs...)
	return nil
}

// activation is what people who activate themselves find here.
func (s *site) activation() subscribers.Activation {
	a := subscribers.Activation{Mail: s.file.Config.Mail != nil}
	if c := s.file.Config.Portal; c != nil {
		a.Portal = c.URL
	}
	return a
}

// orgFlag completes a command that is shown to somebody, where there are several organizations.
func (s *site) orgFlag(id string) string {
	if len(s.orgs) < 2 {
		return ""
	}
	return " --org " + id
}

// catalogue is that of failures, whose remedies fit the kinds of the sources that the configuration has.
func (s *site) catalogue() (*failure.Catalogue, error) {
	c, err := failure.New()
	if err != nil {
		return nil, err
	}
	return c.WithKinds(func(org, source string) connector.SourceKind {
		for _, o := range s.orgs {
			if settings := o.Org.Source(source); o.Org.ID == org && settings != nil {
				return settings.Kind
			}
		}
		return ""
	}), nil
}

// retrySubscribers tries those again, in all organizations, who may have lost what kept them from an account; done is told
// how many of an organization have one now.
func (s *site) retrySubscribers(ctx context.Context, done func(o *org, n int)) error {
	var all error
	for _, o := range s.orgs {
		n, err := o.prov.RetrySubscribers(ctx)
		if n > 0 {
			done(o, n)
		}
		all = errors.Join(all, err)
	}
	return all
}

// keeper looks after the domains of an organization.
func (s *site) keeper(a *app, o *org) *domains.Keeper {
	k := &domains.Keeper{Store: s.db, Org: o.Org, Resolver: domains.NewResolver(s.file.Config.DNS.Resolver), Now: a.now, Verified: o.prov.DomainVerified}
	k.Changed = func(ctx context.Context) error { return s.retrySubscribers(ctx, func(*org, int) {}) }
	for _, x := range s.orgs {
		if x != o {
			k.Others = append(k.Others, x.Org.ID)
		}
	}
	return k
}

// adopt makes the configuration the one in force: its revision is kept, and the packages have its
// numbers of seats. Whatever changes people does so first.
func (s *site) adopt(ctx context.Context, a *app) error {
	if err := s.db.PutRevision(ctx, connector.Revision{ID: s.file.Revision, At: a.now(), Text: string(s.file.Text)}); err != nil {
		return err
	}
	for _, o := range s.orgs {
		if err := s.db.SetPackages(ctx, o.Org.ID, o.Org.Packages); err != nil {
			return err
		}
	}
	return nil
}

func (s *site) close() error {
	s.hangUp()
	return s.db.Close()
}

// hangUp ends the connections to directories.
func (s *site) hangUp() {
	for _, o := range s.orgs {
		for _, src := range o.sources {
			_ = src.Close() // the connection that look-ups keep for a while
		}
	}
}

// org returns the organization with that id, or the only one when id is empty.
func (s *site) org(id string) (*org, error) {
	var ids []string
	for _, o := range s.orgs {
		if o.Org.ID == id || id == "" && len(s.orgs) == 1 {
			return o, nil
		}
		ids = append(ids, o.Org.ID)
	}
	if id == "" {
		return nil, usagef("there are several organizations: name one with --org %s", strings.Join(ids, " | "))
	}
	return nil, usagef("there is no organization %q; there are: %s", id, strings.Join(ids, ", "))
}

// organization is org for who does not sit at the command line.
func (s *site) organization(id string) (*org, error) {
	if o := s.has(id); o != nil {
		return o, nil
	}
	return nil, &connector.Error{Kind: connector.NotFound, Op: "organization", Err: fmt.Errorf("the configuration has no organization %q", id)}
}

// knows reports an organization or a source that the configuration does not have; "" is any.
func (s *site) knows(orgID, source string) error {
	if orgID != "" {
		if _, err := s.org(orgID); err != nil {
			return err
		}
	}
	if source == "" {
		return nil
	}
	_, err := s.targets(orgID, source)
	return err
}

// target is one source of one organization.
type target struct {
	org *org
	id  string
	src *ldapsync.Source // nil when it is no directory

	file *keptFile // that is read, of a source that reads files
}

// pushes reports whether people come by themselves, or are brought: nothing can be read from the source.
func (t target) pushes() bool { return t.org.Directories[t.id] == nil }

// client reports whether it pushes by SCIM.
func (t target) client() bool { return t.org.Clients[t.id] != nil }

// comes says how the people of a source come that cannot be read.
func (t target) comes() string {
	switch t.org.Org.Source(t.id).Kind { //nolint:exhaustive // the others push
	case connector.SignIn:
		return "signs in"
	case connector.Template:
		return "activates"
	case connector.Import, connector.SiteLink:
		return "imports"
	default:
		return "pushes"
	}
}

// byItself says why there is nothing to read from a source.
func byItself(kind connector.SourceKind) string {
	switch kind { //nolint:exhaustive // the others push
	case connector.SignIn:
		return "signs people in when they come"
	case connector.Import, connector.SiteLink:
		return "reads files that an administrator brings: usherd import FILE"
	case connector.Template:
		return "takes people when they activate themselves"
	default:
		return "pushes by itself"
	}
}

// targets returns the sources that the flags name: all of them when they name none.
func (s *site) targets(orgID, source string) ([]target, error) {
	var out []target
	var known []string
	for _, o := range s.orgs {
		for _, settings := range o.Org.Sources {
			known = append(known, o.Org.ID+"/"+settings.ID)
			if (orgID == "" || orgID == o.Org.ID) && (source == "" || source == settings.ID) {
				out = append(out, target{org: o, id: settings.ID, src: o.sources[settings.ID]})
			}
		}
	}
	if len(out) == 0 {
		return nil, usagef("no such source; there are: %s", strings.Join(known, ", "))
	}
	return out, nil
}

// directories are the targets that can be read. Those that push are told on w when they were named, or when
// there are no others.
func (s *site) directories(w io.Writer, orgID, source string) ([]target, error) {
	all, err := s.targets(orgID, source)
	read := slices.DeleteFunc(slices.Clone(all), target.pushes)
	if source == "" && len(read) > 0 {
		return read, err
	}
	for _, t := range all {
		if t.pushes() {
			fmt.Fprintf(w, "%s %s; there is nothing to sync\n", t.name(), byItself(t.org.Org.Source(t.id).Kind))
		}
	}
	return read, err
}

// target returns the one source that the flags name.
func (s *site) target(orgID, source string) (target, error) {
	all, err := s.targets(orgID, source)
	if err == nil && len(all) > 1 {
		err = usagef("there are several sources: name one with --org and --source")
	}
	if err != nil {
		return target{}, err
	}
	return all[0], nil
}

// findRun returns a run by id, by its ending, or the last one.
func (s *site) findRun(ctx context.Context, text string) (*connector.Run, *org, error) {
	run, err := s.db.FindRun(ctx, text)
	if connector.KindOf(err) == connector.NotFound && connector.HintOf(err) == "" {
		err = &connector.Error{
			Kind: connector.NotFound, Op: "run", Err: fmt.Errorf("there is no run %q", text), Hint: "see them with: usherd runs",
		}
	}
	if err != nil {
		return nil, nil, err
	}
	o, err := s.org(run.Org)
	if err != nil {
		return nil, nil, fmt.Errorf("the run belongs to organization %s, which the configuration does not have any more", run.Org)
	}
	return run, o, nil
}

// actor names the person at the terminal for the history.
func actor() string {
	if u, err := user.Current(); err == nil {
		return "cli:" + u.Username
	}
	return "cli"
}
