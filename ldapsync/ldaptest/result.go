package ldaptest

// result is an LDAPResult (RFC 4511 section 4.1.9).
type result struct {
	code     uint16
	matched  string
	text     string
	referral string
	oid      string // of an extended response
	value    []byte
	controls [][]byte
	paging   bool // the controls are those of paging
}

// doneOf is the operation that answers an operation.
func doneOf(op byte) byte {
	switch op {
	case opSearch:
		return opDone
	case opDelete:
		return 0x6b
	}
	return op + 1
}

// result writes a whole message.
func (w *writer) result(id int64, op byte, r result) {
	m := w.open(tagSequence)
	w.int(tagInt, id)
	body := w.open(op)
	w.int(tagEnum, int64(r.code))
	w.str(tagOctets, r.matched)
	w.str(tagOctets, r.text)
	if r.referral != "" {
		at := w.open(0xa3)
		w.str(tagOctets, r.referral)
		w.shut(at)
	}
	if r.oid != "" {
		w.str(0x8a, r.oid)
	}
	if r.value != nil {
		w.octets(0x8b, r.value)
	}
	w.shut(body)
	if len(r.controls) > 0 {
		at := w.open(0xa0)
		for _, c := range r.controls {
			w.b = append(w.b, c...)
		}
		w.shut(at)
	}
	w.shut(m)
}
