package notice

import (
	"time"

	"usherd/connector"
)

// samples are one fact of each kind, for people who want to see what comes.
func samples(now time.Time) []fact {
	run := &connector.NoticeRun{
		ID: connector.NewID(now), Mode: connector.ModeFull, Result: connector.ResultHeld, Started: now.Add(-time.Minute), Finished: now,
		Counts: connector.Counts{Created: 14, Updated: 203, Deactivated: 2, Unchanged: 3708, Failed: 10, Held: 43},
	}
	whole := *run
	whole.Result, whole.Counts = connector.ResultFailed, connector.Counts{}
	const source = "directory"
	words := connector.NoticeData{Error: "ldap: dc1.example.com does not answer", Hint: "find out where it fails with: usherd check --connect"}
	of := func(kind connector.NoticeKind, d connector.NoticeData) fact {
		if d.Source == "" && kind != connector.NoticeSeats && kind != connector.NoticeOutbox && kind != connector.NoticeDomain {
			d.Source = source
		}
		return fact{kind, d}
	}
	return []fact{
		of(connector.NoticeRunChanged, connector.NoticeData{Run: run}),
		of(connector.NoticePeople, connector.NoticeData{Run: run, Suppressed: 2, Failures: []connector.NoticeFailure{
			{Code: connector.CodeCreation, Reason: connector.NoSeat, People: 7, Package: "standard"},
			{Code: connector.CodeCreation, Reason: connector.RequiredMissing, People: 3},
		}}),
		of(connector.NoticeRunFailed, connector.NoticeData{Run: &whole, Error: words.Error, Hint: words.Hint}),
		of(connector.NoticeRunHeld, connector.NoticeData{Run: run, Why: "43 removals are more than 10 and more than 5 % of 800 users", Hold: &connector.NoticeHold{People: 43, Expires: now.Add(24 * time.Hour)}}),
		of(connector.NoticeQuarantined, connector.NoticeData{Error: words.Error, Hint: words.Hint, Trouble: &connector.NoticeTrouble{Runs: 3, Since: now.Add(-time.Hour)}}),
		of(connector.NoticeRecovered, connector.NoticeData{}),
		of(connector.NoticeSeats, connector.NoticeData{Seats: &connector.NoticeSeatsLow{Package: "standard", Total: 200, Used: 195, Free: 5}}),
		of(connector.NoticeEnds, connector.NoticeData{End: &connector.NoticeEnd{What: connector.EndOfToken, Name: "SCIM of the test", Ends: now.Add(7 * 24 * time.Hour), Days: 7}}),
		of(connector.NoticeOutbox, connector.NoticeData{Mails: &connector.NoticeMails{GivenUp: 3}}),
		of(connector.NoticeDomain, connector.NoticeData{Domain: &connector.NoticeProof{Name: "example.com", KeptUntil: now.Add(6 * 24 * time.Hour)}}),
	}
}
