package ldapsync

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/go-ldap/ldap/v3"

	"usherd/connector"
)

// searchRequest is one search (RFC 4511 section 4.5.1).
type searchRequest struct {
	Base       string
	Scope      int // ldap.ScopeBaseObject, ScopeSingleLevel, ScopeWholeSubtree
	Filter     string
	Attributes []string
	PageSize   int // 0 = unpaged
	SizeLimit  int // 0 = the server's
	Controls   []ldap.Control
}

// searchEnd is how a search ended that ended without an error.
type searchEnd struct {
	Complete  bool   // the positive marker of the end came
	Why       string // it is not complete, and what can be done about it
	Code      uint16 // the server's last result code
	Entries   int
	Referrals int // search references, never followed
	Bytes     int64
	Controls  []byte // beside the last result, as they came; the caller's own
}

// maxEmptyPages bounds pages without an entry in a row, so that a server with a cookie that never ends
// cannot keep a read going for ever.
const maxEmptyPages = 1000

// search sends r and calls yield with every entry. The search is complete only with a positive marker:
// result code 0 and, when it is paged, the paging control with an empty cookie on the last page.
//
// Limits of the server (codes 3, 4 and 11) and a missing paging control end it incomplete, without an
// error. A connection that ends or falls silent and a malformed message are a connector.Error of kind
// Incomplete; other result codes have the kind that serverError gives them. The end of ctx closes the
// connection and gives ctx's error. An error of yield is returned as it is and closes the connection.
func (c *conn) search(ctx context.Context, r searchRequest, yield func(*entry) error) (searchEnd, error) {
	s := &stream{c: c, ctx: ctx, r: r, yield: yield, dec: newDecoder(r.Attributes)}
	if err := ctx.Err(); err != nil {
		return s.end, err
	}
	if c.broken.Load() {
		return s.end, s.cut(net.ErrClosed)
	}
	filter, err := ldap.CompileFilter(r.Filter)
	if err != nil {
		return s.end, &connector.Error{
			Kind: connector.Invalid, Op: s.op(), Err: fmt.Errorf("filter %s: %w", r.Filter, err),
			Hint: "correct the filter (RFC 4515)",
		}
	}
	s.request = encodeSearch(r, filter.Bytes())
	stop := context.AfterFunc(ctx, c.shut)
	err = s.run()
	if !stop() {
		return s.end, ctx.Err()
	}
	return s.end, err
}

// stream is one search while it runs.
type stream struct {
	c       *conn
	ctx     context.Context //nolint:containedctx // a stream lives within one call of search
	r       searchRequest
	yield   func(*entry) error
	dec     *decoder
	request []byte // the search request without envelope and controls
	end     searchEnd
}

func (s *stream) op() string {
	return fmt.Sprintf("ldapsync: search %q on %s", s.r.Base, s.c.server)
}

// run asks for page after page.
func (s *stream) run() error {
	var cookie []byte
	for empty := 0; ; {
		before := s.end.Entries
		res, err := s.page(cookie)
		if err != nil {
			return err
		}
		more, err := s.judge(res)
		if err != nil || !more {
			return err
		}
		if empty++; s.end.Entries > before {
			empty = 0
		}
		if empty == maxEmptyPages {
			s.c.shut()
			return s.incomplete(fmt.Errorf("%d pages without an entry in a row", empty))
		}
		cookie = res.cookie
	}
}

// page sends the request with that cookie and reads to the end of the answer.
func (s *stream) page(cookie []byte) (result, error) {
	s.c.lastID++
	if err := s.c.silence.write(s.c.net, s.message(cookie)); err != nil {
		return result{}, s.cut(err)
	}
	for {
		m, err := s.receive()
		if err != nil {
			return result{}, err
		}
		if m.id != s.c.lastID {
			return result{}, s.cut(errUnexpectedMessage)
		}
		switch m.tag {
		case tagEntry:
			if err := s.entry(m.op); err != nil {
				return result{}, err
			}
		case tagReference:
			s.end.Referrals++
		case tagIntermediate: // may come at any time and mean nothing here, RFC 4511 section 4.13
		case tagDone:
			res, err := decodeResult(m.op, m.controls)
			if err != nil {
				return result{}, s.cut(err)
			}
			return res, nil
		default:
			return result{}, s.cut(unexpectedOperation(m.tag))
		}
	}
}

func unexpectedOperation(tag byte) error {
	return fmt.Errorf("an operation %#x in the answer to a search", tag)
}

// message is one message of the server without its envelope, lent until the next is received.
type message struct {
	id           int
	tag          byte
	op, controls []byte
}

// receive reads the next message. A notice of disconnection is an error.
func (s *stream) receive() (message, error) {
	msg, err := s.c.in.next()
	if err != nil {
		return message{}, s.cut(err)
	}
	s.end.Bytes += int64(len(msg))
	var m message
	m.id, m.tag, m.op, m.controls, err = splitMessage(msg)
	switch {
	case err != nil:
		return message{}, s.cut(err)
	case m.id == 0 && m.tag == tagExtended:
		return message{}, s.disconnected(m.op)
	}
	return m, nil
}

// entry decodes one entry and hands it on.
func (s *stream) entry(op []byte) error {
	e, err := s.dec.decode(op)
	if err != nil {
		return s.cut(err)
	}
	s.end.Entries++
	if err := s.yield(e); err != nil {
		s.c.shut() // the rest of the answer is still on its way
		return err
	}
	return nil
}

// judge says what the end of a page means: more pages, the end of the search, or an error.
func (s *stream) judge(res result) (more bool, err error) {
	s.end.Code, s.end.Controls = res.code, res.controls
	if why, limit := s.limited(res.code); limit {
		s.end.Why = why
		return false, nil
	}
	switch {
	case res.code != ldap.LDAPResultSuccess:
		return false, serverError(s.op(), res.code, res.text)
	case s.r.PageSize == 0:
		s.end.Complete = true
	case !res.paged:
		s.end.Why = fmt.Sprintf("the server answered without the paged results control after %d entries, so that it cannot be told "+
			"whether that was all: use a server that supports RFC 2696", s.end.Entries)
	case len(res.cookie) == 0:
		s.end.Complete = true
	default:
		return true, nil
	}
	return false, nil
}

// limited explains the codes by which a server cuts an answer short.
func (s *stream) limited(code uint16) (string, bool) {
	var what, do string
	switch code {
	case ldap.LDAPResultTimeLimitExceeded:
		what = "time limit"
		do = "raise it for the service account (OpenLDAP: limits ... time=unlimited; 389-ds: nsTimeLimit; " +
			"Active Directory: MaxQueryDuration), or make the filter one that the server has an index for"
	case ldap.LDAPResultSizeLimitExceeded:
		if s.r.SizeLimit > 0 && s.end.Entries >= s.r.SizeLimit {
			return fmt.Sprintf("more than the %d entries that were asked for match", s.r.SizeLimit), true
		}
		what = "size limit"
		do = "raise it for the service account (OpenLDAP: limits ... size=unlimited; 389-ds: nsSizeLimit, " +
			"nsPagedSizeLimit), and keep page_size at or below the server's (Active Directory: MaxPageSize, 1000)"
	case ldap.LDAPResultAdminLimitExceeded:
		what = "administrative limit"
		do = "raise it for the service account (389-ds: nsLookThroughLimit; OpenLDAP: limits ... size.pr=unlimited " +
			"size.prtotal=unlimited), or lower page_size"
	default:
		return "", false
	}
	return fmt.Sprintf("the server's %s ended the answer after %d entries (code %d): %s", what, s.end.Entries, code, do), true
}

// cut ends the search because the connection or what came over it is unusable.
func (s *stream) cut(err error) error {
	s.c.shut()
	switch {
	case s.ctx.Err() != nil:
		return s.ctx.Err()
	case s.c.silence.over.Load():
		err = fmt.Errorf("the server sent nothing for %v", s.c.silence.limit)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		err = fmt.Errorf("the server closed the connection: %w", err)
	}
	return s.incomplete(err)
}

// disconnected reads a notice of disconnection (RFC 4511 section 4.4.1).
func (s *stream) disconnected(op []byte) error {
	res, err := decodeResult(op, nil)
	if err != nil {
		return s.cut(err)
	}
	// Its code is no answer to the search, so it is not to be found in the error's chain.
	e := serverError("", res.code, res.text)
	e.Op, e.Err = "the server ends the connection", errors.New(e.Error())
	return s.cut(e)
}

func (s *stream) incomplete(err error) error {
	return &connector.Error{
		Kind: connector.Incomplete, Op: s.op(), Err: fmt.Errorf("after %d entries: %w", s.end.Entries, err),
		Hint: connector.HintOf(err),
	}
}

// encodeSearch encodes a search request without its envelope.
func encodeSearch(r searchRequest, filter []byte) []byte {
	const neverDerefAliases = 0
	var b, names []byte
	b = appendText(b, r.Base)
	b = appendInt(b, tagEnumerated, r.Scope)
	b = appendInt(b, tagEnumerated, neverDerefAliases)
	b = appendInt(b, tagInteger, r.SizeLimit)
	b = appendInt(b, tagInteger, 0) // no time limit of our own: it would look like the server's
	b = append(b, tagBoolean, 1, 0) // values too, not only types
	b = append(b, filter...)
	for _, a := range r.Attributes {
		names = appendText(names, a)
	}
	b = appendTLV(b, tagSequence, names)
	return appendTLV(nil, tagSearch, b)
}

// message puts the envelope around the request.
func (s *stream) message(cookie []byte) []byte {
	var controls []byte
	for _, c := range s.r.Controls {
		controls = append(controls, c.Encode().Bytes()...)
	}
	if s.r.PageSize > 0 {
		controls = append(controls, encodePaging(s.r.PageSize, cookie)...)
	}
	return encodeMessage(s.c.lastID, s.request, controls)
}

func encodeMessage(id int, request, controls []byte) []byte {
	b := appendInt(nil, tagInteger, id)
	b = append(b, request...)
	if len(controls) > 0 {
		b = appendTLV(b, tagControls, controls)
	}
	return appendTLV(nil, tagSequence, b)
}

// encodePaging encodes the paged results control of RFC 2696. It is not critical: a server that ignores
// it is found out by its answer.
func encodePaging(size int, cookie []byte) []byte {
	value := appendTLV(appendInt(nil, tagInteger, size), tagOctetString, cookie)
	b := appendText(nil, ldap.ControlTypePaging)
	b = appendTLV(b, tagOctetString, appendTLV(nil, tagSequence, value))
	return appendTLV(nil, tagSequence, b)
}

// result is the end of an answer.
type result struct {
	code     uint16
	text     string
	paged    bool   // the paging control was there
	cookie   []byte // the caller's own
	controls []byte // all of them, as they came; the caller's own
}

// decodeResult reads an LDAPResult (RFC 4511 section 4.1.9) and the paging control beside it.
func decodeResult(op, controls []byte) (result, error) {
	var res result
	code, rest, ok := expect(op, tagEnumerated)
	if !ok {
		return res, errMalformed
	}
	n, ok := berInt(code)
	if !ok || n < 0 || n > 0xffff {
		return res, errMalformed
	}
	_, rest, ok = expect(rest, tagOctetString) // matchedDN
	if !ok {
		return res, errMalformed
	}
	text, rest, ok := expect(rest, tagOctetString)
	if !ok {
		return res, errMalformed
	}
	for len(rest) > 0 { // referrals, or the name and value of an extended response
		if _, _, rest, ok = tlv(rest); !ok {
			return res, errMalformed
		}
	}
	res.code, res.text, res.controls = uint16(n), clip(text), bytes.Clone(controls)
	for len(controls) > 0 {
		var control []byte
		if control, controls, ok = expect(controls, tagSequence); !ok {
			return res, errMalformed
		}
		if err := res.control(control); err != nil {
			return res, err
		}
	}
	return res, nil
}

// control takes the cookie out of a paging control and passes over any other.
func (res *result) control(b []byte) error {
	oid, value, ok := splitControl(b)
	if !ok {
		return errMalformed
	}
	if string(oid) != ldap.ControlTypePaging {
		return nil
	}
	value, rest, ok := expect(value, tagSequence)
	if !ok || len(rest) > 0 || res.paged {
		return errMalformed
	}
	_, value, ok = expect(value, tagInteger) // the server's guess of the total
	if !ok {
		return errMalformed
	}
	cookie, rest, ok := expect(value, tagOctetString)
	if !ok || len(rest) > 0 {
		return errMalformed
	}
	res.paged, res.cookie = true, append([]byte(nil), cookie...)
	return nil
}

// splitControl takes a control apart (RFC 4511 section 4.1.11); one without a value has an empty one.
func splitControl(b []byte) (oid, value []byte, ok bool) {
	oid, rest, ok := expect(b, tagOctetString)
	if !ok || len(rest) == 0 {
		return oid, nil, ok
	}
	tag, value, rest, ok := tlv(rest)
	if ok && tag == tagBoolean { // criticality
		if len(rest) == 0 {
			return oid, nil, true
		}
		tag, value, rest, ok = tlv(rest)
	}
	return oid, value, ok && tag == tagOctetString && len(rest) == 0
}
