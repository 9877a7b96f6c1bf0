// Package testproc is what the packages that start real servers for tests have in common: a process with all
// its children that can be ended, killed and frozen and that does not outlive whoever started it; what is
// missing on a machine, told loudly; certificates, free ports, files that are locked or kept from one run to
// the next.
//
// Processes run on Linux only. No production code imports it.
package testproc
