package connector

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// ConditionOp says what a Condition asks; the words are those of RFC 7644, section 3.4.2.2.
type ConditionOp string

// The operators. And, Or and Not have conditions below them, the others test a field.
const (
	OpAnd ConditionOp = "and"
	OpOr  ConditionOp = "or"
	OpNot ConditionOp = "not" // plain negation: true where the condition below it is false for whatever reason

	OpEq ConditionOp = "eq"
	OpNe ConditionOp = "ne" // the only one that is true where there is no value
	OpCo ConditionOp = "co" // Value is a part of it
	OpSw ConditionOp = "sw" // it begins with Value
	OpEw ConditionOp = "ew" // it ends with Value
	OpGt ConditionOp = "gt"
	OpGe ConditionOp = "ge"
	OpLt ConditionOp = "lt"
	OpLe ConditionOp = "le"
	OpPr ConditionOp = "pr" // there is a value
)

// The fields that a Condition can test. Of a field with several values, a test is true if it is for any of
// them. Text is compared byte by byte in UTF-8.
const (
	// OnID is the id as text. Only eq, ne and pr.
	OnID = "id"
	// OnUserName is the user name, folded. Of users.
	OnUserName = "userName"
	// OnEmail are all addresses, folded. Of users.
	OnEmail = "email"
	// OnDisplayName is the display name, folded; of groups the name.
	OnDisplayName = "displayName"
	// OnExternalID is the client's own key of it, exactly as it came.
	OnExternalID = "externalId"
	// OnEmployeeNumber is the employee number, folded. Of users.
	OnEmployeeNumber = "employeeNumber"
	// OnManager is the manager, folded. Of users.
	OnManager = "manager"
	// OnPhone are the values of phone, mobilePhone, fax and otherPhones, folded. Of users.
	OnPhone = "phone"
	// OnActive is true unless the state is inactive. Only eq, ne and pr. Of users.
	OnActive = "active"
	// OnCreated and OnLastModified are times. Not co, sw and ew.
	OnCreated      = "created"
	OnLastModified = "lastModified"
	// OnGroup are the ids of the client's own groups that name a user in their list. Only eq, ne and pr. Of users.
	OnGroup = "group"
	// OnGroupNested are those and the ids of all groups that they are nested in. Only eq, ne and pr. Of users.
	OnGroupNested = "groupNested"
	// OnMember are the ids of the users and groups that a group names in its own list, as far as its client sees
	// them. Only eq, ne and pr. Of groups.
	OnMember = "member"
	// OnState is the state of a user, in its own spelling.
	OnState = "state"
	// OnPackage is the id of a user's package, in its own spelling.
	OnPackage = "package"
)

// Condition is a test of stored, indexed values of users or groups: what a SCIM filter, or a part of it,
// comes to in SQL.
type Condition struct {
	Op    ConditionOp
	Field string // of a test: one of the fields above
	// Value is what a test compares with: folded where the field is (Fold; of co, sw and ew by FoldPart, since
	// blanks at the end of a part count), an id as text, a time as RFC 3339 with any fraction, "true" or
	// "false". An id that is none is nobody's. Empty with pr.
	Value string
	Of    []*Condition // and, or: at least one; not: exactly one
}

// What operators a field can be tested with.
var (
	identityOps = []ConditionOp{OpEq, OpNe, OpPr}
	orderOps    = []ConditionOp{OpEq, OpNe, OpPr, OpGt, OpGe, OpLt, OpLe}
	textOps     = []ConditionOp{OpEq, OpNe, OpPr, OpGt, OpGe, OpLt, OpLe, OpCo, OpSw, OpEw}
)

// conditionField says of what and how a field can be tested.
type conditionField struct {
	users, groups bool
	ops           []ConditionOp
}

var conditionFields = map[string]conditionField{
	OnID:             {true, true, identityOps},
	OnUserName:       {true, false, textOps},
	OnEmail:          {true, false, textOps},
	OnDisplayName:    {true, true, textOps},
	OnExternalID:     {true, true, textOps},
	OnEmployeeNumber: {true, false, textOps},
	OnManager:        {true, false, textOps},
	OnPhone:          {true, false, textOps},
	OnActive:         {true, false, identityOps},
	OnCreated:        {true, true, orderOps},
	OnLastModified:   {true, true, orderOps},
	OnGroup:          {true, false, identityOps},
	OnGroupNested:    {true, false, identityOps},
	OnMember:         {false, true, identityOps},
	OnState:          {true, false, textOps},
	OnPackage:        {true, false, textOps},
}

// ResourceKind says which of the two kinds of resources is asked for.
type ResourceKind int

// The kinds of resources.
const (
	UserResource ResourceKind = iota
	GroupResource
)

// CanTest reports whether a Condition on resources of that kind may test a field with an operator.
func CanTest(kind ResourceKind, field string, op ConditionOp) bool {
	f, ok := conditionFields[field]
	return ok && slices.Contains(f.ops, op) && (kind == UserResource && f.users || kind == GroupResource && f.groups)
}

// Check says what makes a condition on resources of that kind unusable; nil when nothing does. No
// condition is one that everything meets.
func (c *Condition) Check(kind ResourceKind) error {
	if c == nil {
		return nil
	}
	if c.Op != OpAnd && c.Op != OpOr && c.Op != OpNot {
		if !CanTest(kind, c.Field, c.Op) {
			return fmt.Errorf("%q cannot be tested with %q here", c.Field, c.Op)
		}
		return c.checkValue()
	}
	if len(c.Of) == 0 || c.Op == OpNot && len(c.Of) != 1 {
		return fmt.Errorf("%q with %d conditions below it", c.Op, len(c.Of))
	}
	for _, below := range c.Of {
		if below == nil {
			return errors.New("a condition below another one is missing")
		}
		if err := below.Check(kind); err != nil {
			return err
		}
	}
	return nil
}

func (c *Condition) checkValue() error {
	switch {
	case c.Op == OpPr:
	case c.Field == OnActive && c.Value != "true" && c.Value != "false":
		return fmt.Errorf("%s is true or false, not %q", c.Field, c.Value)
	case c.Field == OnCreated || c.Field == OnLastModified:
		if _, err := time.Parse(time.RFC3339Nano, c.Value); err != nil {
			return fmt.Errorf("%s: %q is no time as in RFC 3339", c.Field, c.Value)
		}
	}
	return nil
}
