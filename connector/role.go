package connector

// Role is what an administrator may do in the console. What each may is a table there.
type Role string

// The roles, the most powerful first.
const (
	Owner    Role = "owner"
	Operator Role = "operator"
	Helpdesk Role = "helpdesk"
	Auditor  Role = "auditor" // looks at everything, and sees personal data masked
)

// Roles are all of them, the most powerful first.
func Roles() []Role { return []Role{Owner, Operator, Helpdesk, Auditor} }
