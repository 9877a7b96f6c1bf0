// Package dialect knows how identity providers speak SCIM: what each of them means where two mean different things
// (Profile), and which forms that are not the RFC's are understood whoever sends them (Normalise). Lenient in, strict out:
// what comes out is in the form that RFC 7643 and 7644 ask for, and each leniency that was needed is told as a Quirk
// with an id, so that an administrator sees what a client sends.
//
// All of it is pure, by tables, and idempotent: to normalise twice is to normalise once. It does no input or output.
package dialect
