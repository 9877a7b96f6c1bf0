// Package schedule says when runs happen: cron times done right over clock changes, jitter, catching up
// after downtime and no overlap. It never knows what a run does.
package schedule
