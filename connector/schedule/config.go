package schedule

import "usherd/connector"

// Config is a `schedule:` block. The zero value never fires.
type Config struct {
	// Cron has the five fields minute, hour, day of month, month, day of week: "*/30 * * * *".
	Cron string `yaml:"cron,omitempty"`
	// Timezone is an IANA name (Europe/Stockholm); default is the machine's zone.
	Timezone string `yaml:"timezone,omitempty"`
	// Jitter spreads the start at random over this time after the exact moment.
	Jitter connector.Duration `yaml:"jitter,omitempty"`
	// CatchUp runs once at start, or after the machine slept, when a moment was missed. Default true.
	CatchUp *bool `yaml:"catch_up,omitempty"`
}
