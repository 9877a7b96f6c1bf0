// Package mapping turns a record into a profile by the expressions of the configuration. It is pure:
// it reads no clock, does no input or output and never decides who may have an account.
package mapping
