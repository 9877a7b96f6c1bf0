package sso

import (
	"net/http"

	"usherd/connector"
	"usherd/page"
)

var (
	// Of one identity provider: each sign-in that begins is a row for half an hour.
	loginRate = page.Rate{PerSecond: 50, Burst: 500}
	// Of one address at one identity provider: less than all, so that nobody keeps the others out.
	addressRate = page.Rate{PerSecond: 25, Burst: 400}
	// What nobody has proven to be from the identity provider is kept slowly: whoever likes may send it.
	strangeRate = page.Rate{PerSecond: 1, Burst: 100}
	// What it has signed, and was refused for itself, can be sent again and again by whoever has it.
	staleRate = page.Rate{PerSecond: 5, Burst: 500}
)

// allowed takes one of what an identity provider may have of something.
func (v *visit) allowed(what string, rate page.Rate) bool {
	return v.s.limits.Take(v.org.Settings.ID+"/"+v.source+"/"+what, rate, v.s.o.Now())
}

// welcome takes one of what the address may do, and answers where there is none left.
func (v *visit) welcome(what string, code connector.Code) bool {
	if v.allowed(what+" "+page.Network(v.s.o.Gate.Address(v.r)), addressRate) {
		return true
	}
	v.later(code, "too much comes from this address at a time")
	return false
}

// later answers that it is too much at a time. It is no attempt: to keep one would cost more than what is refused.
func (v *visit) later(code connector.Code, detail string) {
	v.busy = true
	v.s.o.Metrics.throttle(v.org.Settings.ID, v.source)
	v.w.Header().Set("Retry-After", "5")
	v.fail(http.StatusTooManyRequests, v.failure(code, detail))
}
