package ldaptest

import (
	"strconv"

	"github.com/go-ldap/ldap/v3"
)

// serviceDN is the NTDS Settings object of the server itself (AD).
func (t *tree) serviceDN() string {
	return "CN=NTDS Settings,CN=DC1,CN=Servers,CN=Default-First-Site-Name,CN=Sites," + t.config.dn()
}

// rootDSE answers a base search of the empty DN (RFC 4512 section 5.1). Nobody need be bound for it.
func (c *conn) rootDSE(o *answer, q *query) error {
	s := c.s
	t := &tree{kind: s.o.Kind}
	t.idAnchor = t.schema.define("", constructed, nil) // stands for no attribute
	e := &entry{class: newObjectClass([]string{"top"})}
	for _, a := range s.rootAttrs() {
		id, err := t.schema.intern(a.name)
		if err != nil {
			return err
		}
		e.blob = e.blob.put(id, encodeSet(a.values))
		if a.operational && s.o.Kind != ActiveDirectory {
			t.schema.attrs[id].class = operational
		}
	}
	m := matcher{t: t}
	m.prepare(q.req.filter)
	q.sel = t.selectAttrs(q.req, nil, 0)
	if m.match(q.req.filter, e) == yes {
		q.entry(&o.w, e, nil)
		if err := o.flush(true); err != nil {
			return err
		}
	}
	return o.done(opDone, q.pageDone(result{}, nil))
}

type rootAttr struct {
	name        string
	operational bool
	values      []string
}

func (s *Server) rootAttrs() []rootAttr {
	t := s.tree
	t.mu.RLock()
	defer t.mu.RUnlock()
	controls := []string{ldap.ControlTypePaging, ldap.ControlTypeManageDsaIT}
	contexts := make([]string, 0, len(t.bases)+1)
	for _, b := range t.bases {
		contexts = append(contexts, b.dn())
	}
	list := []rootAttr{
		{"objectClass", false, []string{"top"}},
		{"supportedLDAPVersion", true, []string{"3"}},
		{"supportedSASLMechanisms", true, []string{"EXTERNAL"}},
		{"supportedExtension", true, []string{"1.3.6.1.4.1.1466.20037", "1.3.6.1.4.1.4203.1.11.3"}},
	}
	switch s.o.Kind {
	case ActiveDirectory:
		base, config := t.bases[0].dn(), t.config.dn()
		contexts = append(contexts, config)
		controls = append(controls, ldap.ControlTypeMicrosoftShowDeleted, ldap.ControlTypeMicrosoftDomainScope,
			ldap.ControlTypeMicrosoftSDFlags, ldap.ControlTypeMicrosoftShowRecycled)
		list = append(list,
			rootAttr{"currentTime", false, []string{t.now().UTC().Format("20060102150405.0Z")}},
			rootAttr{"defaultNamingContext", false, []string{base}},
			rootAttr{"rootDomainNamingContext", false, []string{base}},
			rootAttr{"configurationNamingContext", false, []string{config}},
			rootAttr{"schemaNamingContext", false, []string{t.schemaDN[1:]}},
			rootAttr{"dnsHostName", false, []string{"dc1.example.test"}},
			rootAttr{"dsServiceName", false, []string{t.serviceDN()}},
			rootAttr{"serverName", false, []string{t.serviceDN()[len("CN=NTDS Settings,"):]}},
			rootAttr{"highestCommittedUSN", false, []string{strconv.FormatUint(t.usn, 10)}},
			rootAttr{"isSynchronized", false, []string{"TRUE"}},
			rootAttr{"isGlobalCatalogReady", false, []string{"TRUE"}},
			rootAttr{"domainFunctionality", false, []string{"7"}},
			rootAttr{"forestFunctionality", false, []string{"7"}},
			rootAttr{"domainControllerFunctionality", false, []string{"7"}},
			rootAttr{"supportedCapabilities", false, []string{"1.2.840.113556.1.4.800", "1.2.840.113556.1.4.1670"}},
		)
	case DS389:
		list = append(list, rootAttr{"vendorName", false, []string{"389 Project"}},
			rootAttr{"vendorVersion", false, []string{"389-Directory/2.3.1 ldaptest"}},
			rootAttr{"defaultnamingcontext", false, []string{t.bases[0].dn()}},
			rootAttr{"firstchangenumber", false, []string{strconv.FormatUint(t.logStart+1, 10)}},
			rootAttr{"lastchangenumber", false, []string{strconv.FormatUint(t.usn, 10)}})
	case OpenLDAP:
		list = append(list, rootAttr{"structuralObjectClass", true, []string{"OpenLDAProotDSE"}},
			rootAttr{"subschemaSubentry", true, []string{"cn=Subschema"}})
	}
	controls = append(controls, s.feedControls()...)
	return append(list, rootAttr{"namingContexts", true, contexts}, rootAttr{"supportedControl", true, controls})
}
