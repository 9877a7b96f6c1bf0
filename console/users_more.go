package console

import (
	"iter"
	"net/http"
	"strconv"
	"time"

	"usherd/connector"
	"usherd/connector/provision"
)

// userColumns are those of the file: new ones are only added at the end.
var userColumns = []string{"id", "user_name", "name", "email", "state", "pending_approval", "package", "deactivated_by", "deactivated_reason", "will_be_deleted_at", "created_at", "updated_at"}

// exportUsers sends the people whom the filters ask for as a file, masked for whoever sees personal data masked.
func (v *visit) exportUsers() { v.sheet("users", "users", userColumns, v.userCells()) }

func (v *visit) userCells() iter.Seq2[[]string, error] {
	return func(yield func([]string, error) bool) {
		for u, err := range v.filteredUsers() {
			if err != nil {
				yield(nil, err)
				return
			}
			if !yield(v.cells(u), nil) {
				return
			}
		}
	}
}

// filteredUsers are all whom the filters of the list ask for, in its order.
func (v *visit) filteredUsers() iter.Seq2[*connector.User, error] {
	const atOnce = 500
	q, onlyActive := v.askedUsers(atOnce), v.onlyActive()
	return func(yield func(*connector.User, error) bool) {
		for {
			list, next, err := v.s.o.Store.ListUsers(v.r.Context(), q)
			if err != nil {
				yield(nil, err)
				return
			}
			for _, u := range list {
				if onlyActive && u.State == connector.Inactive {
					continue
				}
				if !yield(u, nil) {
					return
				}
			}
			if q.After = next; next == "" {
				return
			}
		}
	}
}

func (v *visit) cells(u *connector.User) []string {
	reason := u.DeactivatedReason
	if u.DeactivatedBy == connector.ByAdministrator {
		reason = v.hidden(u.Profile)(reason)
	}
	return []string{
		u.ID.String(), v.personal(u.UserName()), v.personal(fullName(u)), v.personal(u.Profile.Get(connector.Email)), string(u.State),
		strconv.FormatBool(u.PendingApproval), u.Package, string(u.DeactivatedBy), reason, stamp(u.DeleteAt), stamp(u.CreatedAt), stamp(u.UpdatedAt),
	}
}

// invitable reports whether an invitation is of use to somebody.
func invitable(u *connector.User) bool {
	return u.State == connector.NotVerified && !u.PendingApproval && u.Profile.Get(connector.Email) != ""
}

func (v *visit) askInvitation() {
	u, ok := v.find()
	if !ok {
		return
	}
	row := v.userRow(u)
	c := confirm{Person: &row, Effect: []string{v.t("users.invite.effect", nil)}, Button: v.t("users.invite.button", nil), Back: v.link("/users/" + u.ID.String())}
	if !invitable(u) {
		c.Button, c.Fault = "", v.t("users.nofit", nil)
	}
	v.show(http.StatusOK, "confirm", v.frameOf(u, v.t("users.invite.link", nil)), c)
}

func (v *visit) sendInvitation() {
	u, ok := v.find()
	if !ok {
		return
	}
	back := v.link("/users/" + u.ID.String())
	sum, err := v.org.Writer.Invite(v.r.Context(), provision.InviteRequest{Users: []connector.ID{u.ID}})
	switch {
	case err != nil:
		v.accident("invite", err)
	case sum.Invited == 0:
		v.done(back, "warn", "users.invite.nobody", nil)
	default:
		v.done(back, "good", "users.invite.done", map[string]string{"Name": v.personal(fullName(u))})
	}
}

func (v *visit) askInvitations() {
	counts, err := v.s.o.Store.CountUsers(v.r.Context(), v.id())
	if err != nil {
		v.accident("invite", err)
		return
	}
	c := confirm{Effect: []string{v.t("users.inviteall.effect", nil)}, Back: v.listOf(connector.NotVerified)}
	if n := counts[connector.NotVerified]; n > 0 {
		c.Button = v.s.pages.Count(v.lang, "users.inviteall.button", n)
	}
	v.show(http.StatusOK, "confirm", frame{Title: v.t("users.inviteall.title", nil), Crumbs: []crumb{{v.t("nav.users", nil), v.link("/users")}}}, c)
}

// listOf is the list of people in a state.
func (v *visit) listOf(s connector.State) string { return v.link("/users", "state", string(s)) }

// sendInvitations invites everybody who is not verified and was not invited within a day.
func (v *visit) sendInvitations() {
	sum, err := v.org.Writer.Invite(v.r.Context(), provision.InviteRequest{Again: 24 * time.Hour})
	if err != nil {
		v.accident("invite", err)
		return
	}
	v.done(v.listOf(connector.NotVerified), "good", "users.inviteall.done",
		map[string]string{"Invited": v.number(sum.Invited), "Recent": v.number(sum.Recent), "Others": v.number(sum.Others)})
}
