package console

// What the configuration names is looked for in memory: there are few of each.

// few are the hits of a kind of which there may be more than are shown, with the list of all.
func few(hits []hit, all string) hitGroup {
	if len(hits) > mostHits {
		return hitGroup{Hits: hits[:mostHits], All: all}
	}
	return hitGroup{Hits: hits}
}

func (v *visit) findSources(q string) (hitGroup, error) {
	var hits []hit
	for _, s := range v.org.Settings.Sources {
		if kind := v.t("words.kind."+string(s.Kind), nil); begins(s.ID, q) || begins(kind, q) {
			hits = append(hits, hit{Address: v.link("/sources/" + s.ID), Text: s.ID, Notes: []string{kind}})
		}
	}
	return few(hits, v.link("/sources")), nil
}

func (v *visit) findPackages(q string) (hitGroup, error) {
	var hits []hit
	for _, p := range v.org.Settings.Packages {
		if name := v.packageName(p.ID); begins(p.ID, q) || begins(name, q) {
			hits = append(hits, hit{Address: v.link("/seats/" + p.ID), Text: name, Code: p.ID})
		}
	}
	return few(hits, v.link("/seats")), nil
}

func (v *visit) findClients(q string) (hitGroup, error) {
	var hits []hit
	for _, s := range v.org.Settings.Sources {
		if _, pushes := v.org.Clients[s.ID]; pushes && begins(s.ID, q) {
			hits = append(hits, hit{Address: v.link("/scim/clients/" + s.ID), Text: s.ID})
		}
	}
	return few(hits, v.link("/scim")), nil
}

// findIDPs finds by the entity id as well: it is what the other side calls itself.
func (v *visit) findIDPs(q string) (hitGroup, error) {
	var hits []hit
	for _, s := range v.org.Settings.Sources {
		c := v.org.SignOns[s.ID]
		if c == nil {
			continue
		}
		if is, _ := c.Known(); begins(s.ID, q) || begins(is.EntityID, q) {
			h := hit{Address: v.link("/sso/idps/" + s.ID), Text: s.ID}
			if is.EntityID != "" {
				h.Notes = []string{is.EntityID}
			}
			hits = append(hits, h)
		}
	}
	return few(hits, v.link("/sso")), nil
}

func (v *visit) findTemplates(q string) (hitGroup, error) {
	var hits []hit
	for _, t := range v.org.Settings.Templates {
		if begins(t.ID, q) || begins(t.Name, q) {
			hits = append(hits, hit{Address: v.link("/templates/" + t.ID), Text: t.Name, Code: t.ID})
		}
	}
	return few(hits, v.link("/templates")), nil
}

func (v *visit) findDomains(q string) (g hitGroup, err error) {
	list, err := v.org.Domains.List(v.r.Context())
	var hits []hit
	for i := range list {
		if row := v.domainRow(&list[i]); begins(row.Name, q) || begins(list[i].Name, q) {
			hits = append(hits, hit{Address: row.Address, Text: row.Name, State: row.State})
		}
	}
	return few(hits, v.link("/domains")), err
}

// deeper are pages below those of the navigation that people know by a name of their own.
var deeper = []struct{ path, text string }{
	{"/users/fields", "fields.title"},
	{"/sso/attempts", "sso.attempts"},
	{"/scim/requests", "scim.log"},
}

// findPages finds pages by a word of their names.
func (v *visit) findPages(q string) hitGroup {
	var hits []hit
	add := func(path, text string) {
		if need, there := v.s.permissionOf(path); there && v.may(need) && begins(v.t(text, nil), q) {
			hits = append(hits, hit{Address: v.link(path), Text: v.t(text, nil)})
		}
	}
	for _, n := range navigation {
		add(n.path, "nav."+n.name)
	}
	for _, d := range deeper {
		add(d.path, d.text)
	}
	g := few(hits, "")
	g.Title = v.t("search.pages", nil)
	return g
}
