package ldaptest

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// tree is the store: entries in the order of their creation, found by DN or anchor, with a log of what
// happened to them afterwards. Everything is guarded by mu.
type tree struct {
	mu       sync.RWMutex
	kind     Kind
	recycle  bool
	now      func() time.Time
	schema   schema
	schemaDN string // ",CN=Schema,CN=Configuration,DC=..."
	domain   [3]uint32

	idClass, idAnchor, idMember uint16
	overridden                  map[uint16]bool // worked out, but some entry has its own values
	referring                   map[uint16]bool // some entry has values that are references

	roots   map[string]*entry
	bases   []*entry
	bin     *entry // CN=Deleted Objects of the first base (AD)
	config  *entry // CN=Configuration (AD)
	slots   []*entry
	anchors map[[16]byte]*entry
	classes map[string]*objectClass
	live    int
	usn     uint64
	serial  uint64
	nextRID uint32
	seed    [32]byte

	log      []change
	touched  int64         // Unix seconds of the last change
	logStart uint64        // USN from which a session of RFC 4533 can be taken up
	changed  chan struct{} // closed and renewed at a change, see watch

	watched atomic.Bool // somebody waits for changed

	parents map[string]*entry // of the last additions, by DN as written, so that a million need no million look-ups
}

// change is one thing that happened to an entry after its creation.
type change struct {
	usn     uint64
	entry   *entry
	attrs   []uint16 // with new values
	moved   bool
	deleted bool
	added   []*entry // to the member links
	removed []*entry
	base    *entry // where the entry stood before it was moved or deleted: its parent
}

var (
	errNoEntry = errors.New("no such entry")
	errExists  = errors.New("entry exists already")
	errServers = errors.New("the server works it out itself")
)

func newTree(o Options) (*tree, error) {
	t := &tree{
		kind: o.Kind, recycle: o.RecycleBin, now: o.Now,
		roots: map[string]*entry{}, anchors: map[[16]byte]*entry{}, classes: map[string]*objectClass{}, overridden: map[uint16]bool{},
		referring: map[uint16]bool{},
		parents:   map[string]*entry{},
		nextRID:   1000, changed: make(chan struct{}), seed: sha256.Sum256([]byte(strings.Join(o.Bases, "|") + o.Seed)),
	}
	if t.now == nil {
		start := time.Date(2026, 1, 5, 8, 0, 0, 0, time.UTC)
		t.now = func() time.Time { return start.Add(time.Duration(t.usn) * time.Second) } //nolint:gosec // small
	}
	for i := range t.domain {
		t.domain[i] = binary.BigEndian.Uint32(t.seed[4*i:])
	}
	t.schemaDN = ",CN=Schema,CN=Configuration," + o.Bases[0]
	t.defineVirtual()
	for _, base := range o.Bases {
		e, err := t.addRoot(base)
		if err != nil {
			return nil, err
		}
		t.bases = append(t.bases, e)
	}
	if t.kind == ActiveDirectory {
		return t, t.addADContainers(o.Bases[0])
	}
	return t, nil
}

func (t *tree) addRoot(base string) (*entry, error) {
	key, err := dnKey(base)
	if err != nil || key == "" {
		return nil, fmt.Errorf("ldaptest: base %q: not a DN", base)
	}
	if t.roots[key] != nil {
		return nil, fmt.Errorf("ldaptest: base %q is given twice", base)
	}
	first, _ := parentDN(base)
	e, err := t.newEntry(first, Attrs{})
	if err != nil {
		return nil, err
	}
	e.rdn = base
	t.roots[key] = e
	t.insert(e)
	return e, nil
}

// addADContainers makes what every domain has: Users, Deleted Objects, and a Configuration context whose
// NTDS Settings hold the invocationId of the database.
func (t *tree) addADContainers(base string) error {
	container := Attrs{"objectClass": {"container"}}
	if _, err := t.add("CN=Users,"+base, container); err != nil {
		return err
	}
	bin, err := t.add("CN=Deleted Objects,"+base, container)
	if err != nil {
		return err
	}
	bin.deleted, t.bin = true, bin
	t.live--
	if t.config, err = t.addRoot("CN=Configuration," + base); err != nil {
		return err
	}
	dn := "CN=Configuration," + base
	for _, rdn := range []string{"CN=Sites", "CN=Default-First-Site-Name", "CN=Servers", "CN=DC1"} {
		dn = rdn + "," + dn
		if _, err := t.add(dn, container); err != nil {
			return err
		}
	}
	_, err = t.add("CN=NTDS Settings,"+dn, Attrs{
		"objectClass": {"top", "applicationSettings", "nTDSDSA"}, "invocationId": {string(t.newAnchor())},
	})
	return err
}

// newAnchor makes the next anchor; the same bases and seed give the same row of them.
func (t *tree) newAnchor() []byte {
	t.serial++
	sum := sha256.Sum256(binary.BigEndian.AppendUint64(t.seed[:], t.serial))
	g := sum[:16]
	g[6] = g[6]&0x0f | 0x40
	g[8] = g[8]&0x3f | 0x80
	return g
}

// sid is the objectSid with the last part rid: revision, count, authority, sub-authorities.
func (t *tree) sid(rid uint32) []byte {
	b := []byte{1, 5, 0, 0, 0, 0, 0, 5}
	for _, n := range []uint32{21, t.domain[0], t.domain[1], t.domain[2], rid} {
		b = binary.LittleEndian.AppendUint32(b, n)
	}
	return b
}

// find looks an entry up by its DN. nearest is the deepest entry that exists above it, nil outside all
// naming contexts.
func (t *tree) find(dn string) (found, nearest *entry, err error) {
	keys, err := dnKeys(dn)
	if err != nil {
		return nil, nil, err
	}
	for i := range keys {
		e := t.roots[strings.Join(keys[i:], ",")]
		if e == nil {
			continue
		}
		for j := i - 1; j >= 0; j-- {
			next := e.child(keys[j])
			if next == nil {
				return nil, e, nil
			}
			e = next
		}
		return e, e, nil
	}
	return nil, nil, nil
}

// get is find for a caller that needs the entry.
func (t *tree) get(dn string) (*entry, error) {
	e, _, err := t.find(dn)
	if err == nil && e == nil {
		err = errNoEntry
	}
	return e, err
}

// container gives the parent for a new entry and makes organizational units that are missing.
func (t *tree) container(dn string) (*entry, error) {
	if e := t.parents[dn]; e != nil {
		return e, nil
	}
	e, _, err := t.find(dn)
	switch {
	case err != nil:
		return nil, err
	case e == nil && len(dn) > 3 && strings.EqualFold(dn[:3], "ou="):
		if e, err = t.add(dn, nil); err != nil {
			return nil, err
		}
	case e == nil:
		return nil, fmt.Errorf("parent %q: %w", dn, errNoEntry)
	}
	if len(t.parents) >= 64 {
		clear(t.parents)
	}
	t.parents[dn] = e
	return e, nil
}

func (t *tree) add(dn string, attrs Attrs) (*entry, error) {
	rdn, above := parentDN(dn)
	key, err := rdnKey(rdn)
	if err != nil {
		return nil, err
	}
	parent, err := t.container(above)
	if err != nil {
		return nil, err
	}
	if parent.child(key) != nil {
		return nil, errExists
	}
	e, err := t.newEntry(rdn, attrs)
	if err != nil {
		return nil, err
	}
	if err := t.setMembers(e, attrs); err != nil {
		return nil, err
	}
	t.hang(e, parent, key)
	t.insert(e)
	return e, nil
}

// hang makes e a child of parent.
func (t *tree) hang(e, parent *entry, key string) {
	m := parent.more()
	if m.children == nil {
		m.children = make(map[string]*entry)
	}
	m.children[key] = e
	e.parent = parent
}

// insert gives e its place in the order and its USN.
func (t *tree) insert(e *entry) {
	t.usn++
	e.created, e.changed = t.usn, t.usn
	e.born = t.now().Unix()
	e.touched, t.touched = e.born, e.born
	e.slot = len(t.slots)
	t.slots = append(t.slots, e)
	t.anchors[e.guid] = e
	t.live++
	t.notify()
}

// newEntry encodes the attributes and adds those that the kind of server adds.
func (t *tree) newEntry(rdn string, attrs Attrs) (*entry, error) {
	e := &entry{rdn: t.showRDN(rdn)}
	names := slices.Sorted(maps.Keys(attrs))
	var class []string
	given := func(name string) bool {
		return slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, name) })
	}
	for _, n := range names {
		if strings.EqualFold(n, "objectClass") {
			class = attrs[n]
		}
	}
	if len(class) == 0 {
		class = defaultClass(t.kind, rdn)
	}
	e.class = t.classOf(class)
	copy(e.guid[:], t.newAnchor())
	var b blob
	naming, value := rdnParts(e.rdn)
	if !given(naming) {
		names = append([]string{naming}, names...)
		attrs = maps.Clone(attrs)
		if attrs == nil {
			attrs = Attrs{}
		}
		attrs[naming] = []string{value}
	}
	var err error
	for _, n := range names {
		if b, err = t.put(e, b, n, attrs[n]); err != nil {
			return nil, err
		}
	}
	if t.kind == ActiveDirectory && e.class.security && !given("objectSid") {
		t.nextRID++
		e.rid = t.nextRID
	}
	if t.kind == ActiveDirectory && e.class.person {
		for _, d := range [][2]string{{"userAccountControl", "512"}, {"primaryGroupID", "513"}, {"accountExpires", "9223372036854775807"}} {
			if given(d[0]) {
				continue
			}
			if b, err = t.put(e, b, d[0], []string{d[1]}); err != nil {
				return nil, err
			}
		}
	}
	e.blob = slices.Clip(b)
	return e, nil
}

// put appends one attribute to the blob, or sets the field of e that stands for it.
func (t *tree) put(e *entry, b blob, name string, values []string) (blob, error) {
	id, err := t.schema.intern(name)
	if err != nil {
		return b, err
	}
	switch {
	case len(values) == 0, id == t.idClass:
		return b, nil
	case id == t.idAnchor:
		g, ok := parseAnchor(t.kind, values[0])
		if !ok {
			return b, fmt.Errorf("attribute %s: not an anchor", name)
		}
		e.guid = g
		return b, nil
	case t.linked(id):
		return b, nil
	}
	if !t.schema.attrs[id].writable() {
		return b, fmt.Errorf("attribute %s: %w", name, errServers)
	}
	if t.schema.attrs[id].virtual != nil {
		t.overridden[id] = true
	}
	return b.put(id, encodeSet(t.named(id, values))), nil
}

// linked says that the values of an attribute are links to entries and follow their renames.
func (t *tree) linked(id uint16) bool { return t.kind == ActiveDirectory && id == t.idMember }

func encodeSet(values []string) []byte {
	n := 0
	for _, v := range values {
		n += len(v) + 4
	}
	set := make([]byte, 0, n)
	for _, v := range values {
		set = appendOctets(set, v)
	}
	return set
}

func (t *tree) classOf(names []string) *objectClass {
	names = chain(t.kind, names)
	key := strings.Join(names, " ")
	c := t.classes[key]
	if c == nil {
		c = newObjectClass(slices.Clone(names))
		t.classes[key] = c
	}
	return c
}

// showRDN writes an RDN the way the server shows it.
func (t *tree) showRDN(rdn string) string {
	name, value := rdnParts(rdn)
	if strings.Contains(rdn, "+") && !strings.ContainsAny(value, "+") {
		return rdn // several pairs: as given
	}
	if t.kind == ActiveDirectory {
		return strings.ToUpper(name) + "=" + escapeRDN(value, false)
	}
	return name + "=" + escapeRDN(value, true)
}

// clock is now for one who does not hold the lock.
func (t *tree) clock() time.Time {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.now()
}

// notify wakes those who wait for a change.
func (t *tree) notify() {
	if t.watched.Swap(false) {
		close(t.changed)
		t.changed = make(chan struct{})
	}
}

// watch gives a channel that is closed at the next change. Call it with the lock held.
func (t *tree) watch() <-chan struct{} {
	t.watched.Store(true)
	return t.changed
}

func sortByChange(list []*entry) {
	slices.SortFunc(list, func(a, b *entry) int { return cmp.Compare(a.changed, b.changed) })
}

// csn is the change sequence number of OpenLDAP.
func csn(unix int64, usn uint64) string {
	return fmt.Sprintf("%s.%06dZ#%06x#000#000000", time.Unix(unix, 0).UTC().Format("20060102150405"), usn%1000000, usn/1000000)
}
