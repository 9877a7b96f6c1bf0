package api

import (
	"context"
	"time"

	"usherd/connector/schedule"
	"usherd/connector/sources"
)

// SourceConfiguration is what the configuration in force says of a source. Secrets are not in it.
type SourceConfiguration struct {
	Settings []SourceSetting   `json:"settings" doc:"As they stand in the file, in its order."`
	Scope    *SourceScope      `json:"scope,omitempty" doc:"Of a directory: which entries are people."`
	Mapping  []MappedAttribute `json:"mapping,omitempty" doc:"What becomes of the attributes of an entry."`
	Schedule *SourceSchedule   `json:"schedule,omitempty" doc:"Of full runs that start by themselves."`
}

// SourceSetting is a key of the configuration.
type SourceSetting struct {
	Key   string `json:"key" doc:"From the source on." example:"directory.bind.user"`
	Value string `json:"value"`
	Line  int    `json:"line" doc:"Of the file."`
}

// SourceScope says which entries of a directory are people of a source.
type SourceScope struct {
	Bases      []string `json:"bases"`
	Include    []string `json:"include,omitempty"`
	Exclude    []string `json:"exclude,omitempty"`
	Groups     []string `json:"groups,omitempty"`
	GroupBases []string `json:"group_bases,omitempty"`
	Canaries   []string `json:"canaries,omitempty" doc:"Entries that have to be in each full answer."`
	Filter     string   `json:"filter" doc:"In use, also where the file has none."`
}

// MappedAttribute is the rule of one attribute, and of an entry what it makes.
type MappedAttribute struct {
	Attribute string           `json:"attribute" example:"userName"`
	Required  bool             `json:"required" doc:"Nobody is created without it."`
	Rules     []string         `json:"rules" doc:"Alternatives: the first that gives a value wins."`
	Used      *int             `json:"used,omitempty" doc:"Which of them gave the value, from 0."`
	Read      []AttributeValue `json:"read,omitempty" doc:"What the rules read of the entry."`
	Values    []string         `json:"values,omitempty" doc:"What they make of it."`
	Fault     string           `json:"fault,omitempty" doc:"Why that does not fit."`
}

// AttributeValue is a value of an entry.
type AttributeValue struct {
	Name  string `json:"name"`
	Value string `json:"value" doc:"Of bytes that are no text: how many."`
}

// SourceSchedule is when full runs of a source start by themselves.
type SourceSchedule struct {
	Cron    string      `json:"cron"`
	Zone    string      `json:"zone"`
	Jitter  float64     `json:"jitter_seconds" doc:"By up to that much later."`
	CatchUp bool        `json:"catch_up" doc:"What was missed while the daemon did not run is made up for."`
	Next    []time.Time `json:"next" doc:"The next ten times."`
}

type sourceConfigurationOutput struct{ Body SourceConfiguration }

func (s *Server) getSourceConfiguration(_ context.Context, c *call, in *SourcePath) (*sourceConfigurationOutput, error) {
	x := c.org.Sources[in.Source]
	if x == nil {
		return nil, noSource()
	}
	out := &sourceConfigurationOutput{SourceConfiguration{Settings: make([]SourceSetting, len(x.Settings)), Schedule: scheduleOf(x.Schedule, s.now())}}
	for i, set := range x.Settings {
		out.Body.Settings[i] = SourceSetting(set)
	}
	if at := x.Scope; at != nil {
		out.Body.Scope = &SourceScope{at.Bases, at.Include, at.Exclude, at.Groups, at.GroupBases, at.Canaries, at.Filter}
	}
	if x.Mapping != nil {
		out.Body.Mapping = mappedAttributes(sources.Attributes(c.org.Settings, x.Mapping))
	}
	return out, nil
}

// nextTimes is how many of the next runs are told.
const nextTimes = 10

func scheduleOf(x *schedule.Schedule, now time.Time) *SourceSchedule {
	if x == nil {
		return nil
	}
	return &SourceSchedule{Cron: x.Cron(), Zone: x.Zone().String(), Jitter: x.Jitter().Seconds(), CatchUp: x.CatchUp(), Next: x.Coming(now, nextTimes)}
}

func mappedAttributes(list []sources.Attribute) []MappedAttribute {
	out := make([]MappedAttribute, len(list))
	for i, a := range list {
		j := MappedAttribute{Attribute: a.Target, Required: a.Required, Rules: a.Rules, Fault: a.Fault}
		if a.Used >= 0 {
			j.Used = &a.Used
		}
		for _, x := range a.Read {
			j.Read = append(j.Read, AttributeValue{x.Name, sources.Text(x.Value)})
		}
		for _, value := range a.Values {
			j.Values = append(j.Values, sources.Text([]byte(value)))
		}
		out[i] = j
	}
	return out
}
