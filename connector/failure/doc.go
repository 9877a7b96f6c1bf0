// Package failure is the catalogue of refusals: what each code and reason is called, what it means for
// the person, and what an administrator does about it, in English, Brazilian Portuguese, Swedish and
// Polish. Every door and face takes its words from here, so that one failure reads the same everywhere.
//
// Codes and reasons never change; only texts may. The package decides nothing and keeps no state.
package failure
