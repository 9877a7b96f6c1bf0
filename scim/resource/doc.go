// Package resource turns profiles into SCIM resources and back. A User is rendered of what is stored of it, and what
// a client sends becomes the attributes of a record under the names of the profile, so that it goes the way of
// every other record. What the plain attributes of a profile cannot say of an element of a list, such as its type,
// is kept beside them as the element itself; where that says no more than the plain ones, nothing is kept.
package resource
