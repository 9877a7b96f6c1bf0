package auth

import "context"

// Visit is a request of a client, from its arrival until it is answered. It belongs to the goroutine that answers.
type Visit struct {
	gate    *gate
	client  *Client
	working bool
}

// Arrive lets a request of a client in. Its body may be read then; for everything that takes more it has to wait for its
// turn, see Work. The caller must call Leave when the answer is written. Beyond the client's rate, or with twice as many
// requests present as may be worked on at a time, the error is an *Error of status 429 with RetryAfter.
func (a *Authenticator) Arrive(c *Client) (*Visit, error) {
	if refusal := a.gate.arrive(c.lane, a.o.Now()); refusal != nil {
		refusal.Source, refusal.Token = c.Source, c.Token
		return nil, refusal
	}
	return &Visit{gate: a.gate, client: c}, nil
}

// Admit is Arrive and Work in one, for a request whose body is read already.
func (a *Authenticator) Admit(ctx context.Context, c *Client) (leave func(), err error) {
	v, err := a.Arrive(c)
	if err != nil {
		return nil, err
	}
	if err := v.Work(ctx); err != nil {
		v.Leave()
		return nil, err
	}
	return v.Leave, nil
}

// Work waits until it is the request's turn, for some seconds at most. When the client has too many requests at a time
// the error is an *Error of status 429, when all clients together have, one of 503, both with RetryAfter.
func (v *Visit) Work(ctx context.Context) error {
	if refusal := v.gate.work(ctx, v.client.lane); refusal != nil {
		refusal.Source, refusal.Token = v.client.Source, v.client.Token
		return refusal
	}
	v.working = true
	return nil
}

// Rest gives the turn to the next request, if this one has it: what is left is to send the answer.
func (v *Visit) Rest() {
	if v.working {
		v.working = false
		v.gate.rest(v.client.lane)
	}
}

// Leave ends the visit.
func (v *Visit) Leave() {
	v.Rest()
	v.gate.leave(v.client.lane)
}
