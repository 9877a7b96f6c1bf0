// Package portal is the door for people who have no sign-in yet, or none any more: they prove their address by a link that
// was mailed to them, ask what is wrong with their account, and read what a failure means. Its pages work without a script.
//
// A link is shown by GET, which changes nothing since mail scanners follow links, and used by POST. The portal writes no user
// and decides nothing about people: it asks who does. It tells a stranger who types an address nothing of whether the address
// is known, neither by words nor by time, unless the organization wants it told.
package portal
