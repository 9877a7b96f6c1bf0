package connector

import (
	"context"
	"errors"
	"slices"
)

// ErrLeaseLost is what the errors of Kind Conflict are with which a store refuses what is fenced, and work under a
// lease ends that is lost.
var ErrLeaseLost = errors.New("the lease is lost")

// Fence names a lease and the token under which somebody holds it.
type Fence struct {
	Lease string
	Token int64
}

type fencesKey struct{}

// WithFence returns a context under which a store writes only as long as nobody has taken the lease since: each
// transaction asks for that first, and fails with ErrLeaseLost otherwise. Fences that ctx has already stay. So
// whatever a run writes, by whatever method, is fenced by the context that it was given with its lease, and a
// process that was frozen writes nothing when it wakes up.
func WithFence(ctx context.Context, f Fence) context.Context {
	return context.WithValue(ctx, fencesKey{}, append(slices.Clone(Fences(ctx)), f))
}

// WithoutFences returns a context under which a store writes whoever holds what, as leases themselves are.
func WithoutFences(ctx context.Context) context.Context {
	if Fences(ctx) == nil {
		return ctx
	}
	return context.WithValue(ctx, fencesKey{}, []Fence(nil))
}

// Fences returns those of the context, none for most.
func Fences(ctx context.Context) []Fence {
	list, _ := ctx.Value(fencesKey{}).([]Fence)
	return list
}
