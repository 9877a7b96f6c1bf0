package console

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"usherd/connector"
)

// schedulePage is when a source is read.
type schedulePage struct {
	Head     sourceHead
	Words    []string
	Cron     string
	Times    []plannedTime
	Settings []settingRow
}

// plannedTime is a moment at which a run begins.
type plannedTime struct {
	Day, Local, UTC string
	In              *instant
	Shift           string // how the clocks have been changed since the moment before; "" = not
}

// nextTimes is how many moments are shown.
const nextTimes = 10

func (v *visit) schedule() {
	x, ok := v.theDirectory()
	if !ok {
		return
	}
	standings, err := v.s.o.Runner.Sources(v.r.Context(), v.id())
	if err != nil {
		v.accident("schedule", err)
		return
	}
	s := v.configured(x.ID).Schedule
	p := schedulePage{Head: v.head(x, "schedule"), Cron: s.Cron(), Settings: v.settings(x.ID, "schedule", "live", "changes_every")}
	if s == nil {
		p.Words = append(p.Words, v.t("sources.schedule.never", nil))
	} else {
		p.Words = append(p.Words, v.cronWords(s.Cron())+" "+v.t("sources.schedule.zone", map[string]string{"Zone": v.zone(s.Zone())}))
		if s.Jitter() > 0 {
			p.Words = append(p.Words, v.t("sources.schedule.jitter", map[string]string{"Jitter": v.lasting(s.Jitter())}))
		}
		p.Words = append(p.Words, v.t(map[bool]string{true: "sources.schedule.catchup", false: "sources.schedule.nocatchup"}[s.CatchUp()], nil))
	}
	if is := standingOf(standings, x.ID); is != nil {
		p.Words = append(p.Words, v.t("sources.fact.follows", nil)+": "+v.follows(is.Follows)+".")
		if is.NextTry != nil && is.Failures > 0 {
			p.Words = append(p.Words, v.t("sources.schedule.retry", map[string]string{"When": v.relative(*is.NextTry)}))
		}
	}
	f := frame{v: v}
	_, last := v.now.In(s.Zone()).Zone()
	for _, at := range s.Coming(v.now, nextTimes) {
		name, offset := at.Zone()
		t := plannedTime{Day: v.day(int(at.Weekday())), Local: at.Format("2006-01-02 15:04") + " " + name, UTC: at.UTC().Format("2006-01-02 15:04") + " UTC", In: f.At(at)}
		if offset != last {
			t.Shift = v.t(map[bool]string{true: "sources.schedule.forward", false: "sources.schedule.back"}[offset > last], nil)
		}
		last = offset
		p.Times = append(p.Times, t)
	}
	v.show(http.StatusOK, "source_schedule", v.sourceFrame(x, v.t("sources.tab.schedule", nil)), p)
}

// day is a day of the week, 0 = Sunday.
func (v *visit) day(n int) string { return v.t("sources.day."+strconv.Itoa(n%7), nil) }

// zone is the name of a time zone; that of the machine has none, and is told as it is now.
func (v *visit) zone(z *time.Location) string {
	if z == time.Local { //nolint:gosmopolitan // that is what is asked
		name, _ := v.now.In(z).Zone()
		return name
	}
	return z.String()
}

// cronWords say a line of cron as people would, where it is one of the usual forms.
func (v *visit) cronWords(line string) string {
	at := strings.Fields(line)
	if len(at) != 5 || at[3] != "*" {
		return v.t("sources.cron.line", nil)
	}
	minute, hour, date, week := at[0], at[1], at[2], at[4]
	days := v.cronDays(date, week)
	if days == "" {
		return v.t("sources.cron.line", nil)
	}
	if every, ok := strings.CutPrefix(minute, "*/"); ok && hour == "*" {
		return v.t("sources.cron.minutes", map[string]string{"Every": every, "Days": days})
	}
	if minute == "*" && hour == "*" {
		return v.t("sources.cron.minute", map[string]string{"Days": days})
	}
	m, err := strconv.Atoi(minute)
	if err != nil {
		return v.t("sources.cron.line", nil)
	}
	if hour == "*" {
		return v.t("sources.cron.hour", map[string]string{"Minute": strconv.Itoa(m), "Days": days})
	}
	if every, ok := strings.CutPrefix(hour, "*/"); ok {
		return v.t("sources.cron.hours", map[string]string{"Every": every, "Minute": strconv.Itoa(m), "Days": days})
	}
	var times []string
	for text := range strings.SplitSeq(hour, ",") {
		h, err := strconv.Atoi(text)
		if err != nil {
			return v.t("sources.cron.line", nil)
		}
		times = append(times, fmt.Sprintf("%02d:%02d", h, m))
	}
	return v.t("sources.cron.at", map[string]string{"Times": strings.Join(times, ", "), "Days": days})
}

// cronDays are the days of a line in words, "" where there are none for them.
func (v *visit) cronDays(date, week string) string {
	switch {
	case date == "*" && week == "*":
		return v.t("sources.cron.daily", nil)
	case date != "*" && week != "*":
		return "" // either of both, which nobody expects
	case date != "*":
		if _, err := strconv.Atoi(date); err != nil {
			return ""
		}
		return v.t("sources.cron.monthly", map[string]string{"Day": date})
	}
	var names []string
	for part := range strings.SplitSeq(week, ",") {
		from, to, isRange := strings.Cut(part, "-")
		a, err := strconv.Atoi(from)
		if err != nil {
			return ""
		}
		name := v.day(a)
		if isRange {
			b, err := strconv.Atoi(to)
			if err != nil {
				return ""
			}
			name += "–" + v.day(b)
		}
		names = append(names, name)
	}
	return strings.Join(names, ", ")
}

// safetyPage is what a source can do by itself, and what it cannot.
type safetyPage struct {
	Head     sourceHead
	Words    []string
	Users    []string // who is protected
	Groups   []string // whose members are
	Settings []settingRow
}

// safetyKeys bound what a source does.
var safetyKeys = []string{"first_run", "guard", "protected", "package", "group_packages", "directory.canaries"}

func (v *visit) safety() {
	x, ok := v.theSource()
	if !ok {
		return
	}
	o := v.org.Settings
	p := safetyPage{Head: v.head(x, "safety"), Users: v.personals(x.Protected.Users), Groups: x.Protected.Groups}
	for _, row := range v.settings(x.ID, safetyKeys...) {
		if strings.HasPrefix(row.Key, "protected.users") {
			row.Value = v.personal(row.Value)
		}
		p.Settings = append(p.Settings, row)
	}
	if x.Kind == connector.Directory {
		p.Words = append(p.Words, v.t("sources.safety.absent", nil), v.guardWords(x.Guard), v.t("sources.safety.incomplete", nil))
		p.Words = append(p.Words, v.t("sources.safety.attributes", map[string]string{"Percent": v.printer().Sprint(x.Guard.AttributePercent)}))
		p.Words = append(p.Words, v.t("sources.safety.expires", map[string]string{"After": v.lasting(time.Duration(x.Guard.ExpiresAfter))}))
		p.Words = append(p.Words, v.t(map[bool]string{true: "sources.safety.firstpreview", false: "sources.safety.firstapply"}[x.FirstRun != connector.FirstRunApply], nil))
	}
	p.Words = append(p.Words, v.t("sources.safety.deleted", map[string]string{"After": v.lasting(o.DeleteAfter), "Gone": v.lasting(o.GoneDeleteAfter)}))
	if x.Package != "" {
		p.Words = append(p.Words, v.t("sources.safety.package", map[string]string{"Package": v.packageName(x.Package)}))
	}
	v.show(http.StatusOK, "source_safety", v.sourceFrame(x, v.t("sources.tab.safety", nil)), p)
}
