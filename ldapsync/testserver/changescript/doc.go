// Package changescript changes a directory at random, as a company does over the years: people are hired,
// fired and hired again, marry, move, are locked and get another chief; organizational units and groups come,
// move and go. It is for tests of whatever follows a directory: the company knows at every moment who may
// use services.
//
// The same seed draws the same operations. It never makes a situation that two people could be meant by: no
// two ever have one user name or address, also not one after the other, but for those who are hired again.
package changescript
