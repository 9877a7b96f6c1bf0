package console

import (
	"context"
	"iter"
	"net/http"

	"usherd/connector"
	"usherd/connector/provision"
	"usherd/connector/subscribers"
)

// people are the users of an organization.
var people = &listing{
	path: "/users", name: "people", title: "nav.users", texts: "people.select", gone: "people.select.gone", row: (*visit).personRow, deeds: peopleDeeds(),
	all: func(v *visit) iter.Seq2[chosen, error] { return chosenOf(v.filteredUsers(), ofUser) },
	load: func(ctx context.Context, s *Server, org string, ids []connector.ID) ([]chosen, error) {
		list, err := s.o.Store.Users(ctx, org, ids)
		return mapped(list, ofUser), err
	},
}

// announced are the subscribers of an organization.
var announced = &listing{
	path: "/provisioning", name: "announced", title: "nav.provisioning", texts: "provisioning.select", gone: "people.select.gone", row: (*visit).announcedRow, deeds: subscriberDeeds(),
	all: func(v *visit) iter.Seq2[chosen, error] { return chosenOf(v.filteredSubscribers(), ofSubscriber) },
	load: func(ctx context.Context, s *Server, org string, ids []connector.ID) ([]chosen, error) {
		list, err := s.o.Store.SubscribersByID(ctx, org, ids)
		return mapped(list, ofSubscriber), err
	},
}

func ofUser(u *connector.User) chosen { return chosen{id: u.ID, user: u} }

func ofSubscriber(x *connector.Subscriber) chosen { return chosen{id: x.ID, subscriber: x} }

func mapped[T any](list []T, of func(T) chosen) []chosen {
	out := make([]chosen, len(list))
	for i, x := range list {
		out[i] = of(x)
	}
	return out
}

func chosenOf[T any](seq iter.Seq2[T, error], of func(T) chosen) iter.Seq2[chosen, error] {
	return func(yield func(chosen, error) bool) {
		for x, err := range seq {
			if err != nil {
				yield(chosen{}, err)
				return
			}
			if !yield(of(x), nil) {
				return
			}
		}
	}
}

func (v *visit) personRow(x chosen) selectedRow {
	f := frame{v: v}
	u := x.user
	return selectedRow{
		Address: v.link("/users/" + u.ID.String()), Name: v.personal(fullName(u)), Email: v.personal(u.Profile.Get(connector.Email)), Package: v.packageName(u.Package),
		State: f.StatePill(u.State),
	}
}

func (v *visit) announcedRow(x chosen) selectedRow {
	row := v.subscriberRow(x.subscriber)
	return selectedRow{row.Address, row.Name, row.Email, row.Package, row.Status}
}

// peopleDeeds are what can be done to many people: what can be done to one, an invitation, and a package.
func peopleDeeds() []bulk {
	var list []bulk
	for _, d := range deeds {
		if !d.many {
			continue
		}
		b := bulk{
			name: d.name, link: "users." + d.name + ".link", permission: d.permission, danger: d.danger, reason: d.reason,
			fits: func(_ *connector.Organization, x chosen) bool { return d.fits(x.user) },
			do: func(ctx context.Context, w *labour, x chosen, s *connector.Selection) (bool, *connector.Failure, error) {
				return became(d.do(ctx, w.org.Writer, provision.Command{User: x.id, Actor: s.Actor, Reason: s.Reason}))
			},
		}
		switch d.name {
		case "deactivate":
			b.removes, b.effect = func(fits []chosen) int { return len(fits) }, (*visit).seatsGivenBack
		case "reactivate":
			b.effect = (*visit).seatsOfPeople
		}
		list = append(list, b)
	}
	return append(list, invitePeople, packageOfPeople)
}

// invitePeople sends invitations again. Whoever was sent one since the selection could begin is left out, so that one that is gone on with sends none twice.
var invitePeople = bulk{
	name: "invite", link: "users.invite.link", permission: handle,
	fits: func(_ *connector.Organization, x chosen) bool { return invitable(x.user) },
	do: func(ctx context.Context, w *labour, x chosen, _ *connector.Selection) (bool, *connector.Failure, error) {
		sum, err := w.org.Writer.Invite(ctx, provision.InviteRequest{Users: []connector.ID{x.id}, Again: selectionFor})
		return sum.Invited > 0, nil, err
	},
}

// packageOfPeople gives all the same package, none, or lets sources decide.
var packageOfPeople = bulk{
	name: "package", link: "users.package.link", permission: handle, choices: (*visit).packagesOfPeople,
	fits: func(o *connector.Organization, x chosen) bool { return len(o.Packages) > 0 && x.user.State.Live() },
	do: func(ctx context.Context, w *labour, x chosen, s *connector.Selection) (bool, *connector.Failure, error) {
		pkg, release := userPackage(s.Choice)
		return became(w.org.Writer.SetPackage(ctx, provision.Command{User: x.id, Actor: s.Actor, Reason: s.Reason}, pkg, release))
	},
}

func (v *visit) packagesOfPeople() ([]choice, error) {
	list, err := v.packageChoices("")
	return append(list, choice{Value: noPackage, Text: v.t("users.package.none", nil)},
		choice{Value: sourcesPackage, Text: v.t("users.package.release", nil), Note: v.t("users.package.releasenote", nil)}), err
}

// became tells what a change of a person has come to.
func became(ch *connector.Change, err error) (changed bool, refused *connector.Failure, _ error) {
	switch {
	case err != nil:
		return false, nil, err
	case len(ch.Failures) > 0:
		return false, &ch.Failures[0], nil
	}
	return ch.Action != connector.Unchanged, nil, nil
}

func (v *visit) seatsGivenBack([]chosen) ([]string, error) {
	if v.org.Settings.InactiveHoldsSeat {
		return []string{v.t("people.select.keeps", nil)}, nil
	}
	return []string{v.t("people.select.frees", nil)}, nil
}

// seatsOfPeople says where fewer seats are free than people come back with a package.
func (v *visit) seatsOfPeople(fits []chosen) ([]string, error) {
	if v.org.Settings.InactiveHoldsSeat {
		return nil, nil
	}
	need := map[string]int{}
	for _, x := range fits {
		need[x.user.Package]++
	}
	return v.seatsNeeded(need, "people.select.seats")
}

func (v *visit) seatsNeeded(need map[string]int, key string) (told []string, err error) {
	counts, err := v.s.o.Store.Seats(v.r.Context(), v.id())
	for _, n := range counts {
		if n.Seats != connector.Unlimited && need[n.Package] > n.Free() {
			told = append(told, v.t(key, map[string]string{
				"Package": v.packageName(n.Package), "Need": v.number(need[n.Package]), "Free": v.number(n.Free()),
			}))
		}
	}
	return told, err
}

// command is what a selection does to one subscriber.
func (x *chosen) command(s *connector.Selection) provision.SubscriberCommand {
	return provision.SubscriberCommand{ID: x.id, Actor: s.Actor}
}

// subscriberDeeds are what can be done to many subscribers.
func subscriberDeeds() []bulk {
	templated := func(o *connector.Organization, x chosen) bool { return o.Template(x.subscriber.Template) != nil }
	all := func(*connector.Organization, chosen) bool { return true }
	return []bulk{
		{
			name: "retry", link: "provisioning.retry.link", permission: handle, effect: (*visit).seatsOfRetries,
			fits: func(o *connector.Organization, x chosen) bool {
				return templated(o, x) && x.subscriber.Status != connector.Provisioned && addressOf(x.subscriber) != ""
			},
			do: func(ctx context.Context, w *labour, x chosen, s *connector.Selection) (bool, *connector.Failure, error) {
				return cameTo(w.org.Writer.RetrySubscriber(ctx, x.command(s), ""))
			},
		},
		{
			name: "package", link: "provisioning.package.link", permission: handle, choices: (*visit).packagesForMany, fits: templated,
			do: func(ctx context.Context, w *labour, x chosen, s *connector.Selection) (bool, *connector.Failure, error) {
				return cameTo(w.org.Writer.SetSubscriberPackage(ctx, x.command(s), packageChosen(s.Choice)))
			},
		},
		{name: "export", link: "provisioning.export", permission: export, fits: all, file: true},
		{
			name: "delete", link: "provisioning.delete.link", permission: remove, danger: true, fits: all, removes: withAccount, effect: (*visit).accountsForgotten,
			do: func(ctx context.Context, w *labour, x chosen, s *connector.Selection) (bool, *connector.Failure, error) {
				err := w.org.Writer.DeleteSubscriber(ctx, x.command(s))
				return err == nil, nil, err
			},
		},
	}
}

// cameTo tells what a change of a subscriber has come to.
func cameTo(x *connector.Subscriber, err error) (changed bool, refused *connector.Failure, _ error) {
	if err != nil {
		return false, nil, err
	}
	return x.Failure == nil, x.Failure, nil
}

// addressOf is the address with which a subscriber is tried again; "" = there is none.
func addressOf(x *connector.Subscriber) string {
	if x.Email != "" {
		return x.Email
	}
	return x.Profile.Get(connector.Email)
}

func withAccount(fits []chosen) (n int) {
	for _, x := range fits {
		if !x.subscriber.User.IsZero() {
			n++
		}
	}
	return n
}

func (v *visit) accountsForgotten(fits []chosen) ([]string, error) {
	if withAccount(fits) == 0 {
		return nil, nil
	}
	return []string{v.t("provisioning.delete.account", nil)}, nil
}

// seatsOfRetries says where fewer seats are free than there are subscribers without an account.
func (v *visit) seatsOfRetries(fits []chosen) ([]string, error) {
	need := map[string]int{}
	for _, x := range fits {
		if x.subscriber.User.IsZero() {
			need[v.packageOf(x.subscriber)]++
		}
	}
	return v.seatsNeeded(need, "provisioning.select.seats")
}

// templatesPackage is the choice of the package that the template gives.
const templatesPackage = "-"

func packageChosen(choice string) string {
	if choice == templatesPackage {
		return ""
	}
	return choice
}

func (v *visit) packagesForMany() ([]choice, error) {
	list, err := v.packageChoices("")
	return append(list, choice{Value: templatesPackage, Text: v.t("provisioning.package.templates", nil)}), err
}

// exportSelection sends exactly those who were chosen as a file.
func (v *visit) exportSelection() {
	s, l, d, ok := v.theSelection()
	switch {
	case !ok:
	case !d.file:
		v.say(http.StatusNotFound, "console.nowhere", nil)
	default:
		v.sheet("provisioning", "provisioning", subscribers.Columns(), v.subscriberCells(v.chosenSubscribers(&s, l)))
	}
}

// chosenSubscribers are those of a selection who are there, a part at a time.
func (v *visit) chosenSubscribers(s *connector.Selection, l *listing) iter.Seq2[*connector.Subscriber, error] {
	return func(yield func(*connector.Subscriber, error) bool) {
		for ids := s.IDs; len(ids) > 0; {
			part := ids[:min(len(ids), exportStep)]
			list, err := v.s.chosen(v.r.Context(), l, s.Org, part)
			if err != nil {
				yield(nil, err)
				return
			}
			for _, x := range list {
				if !yield(x.subscriber, nil) {
					return
				}
			}
			ids = ids[len(part):]
		}
	}
}
