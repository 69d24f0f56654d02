// Package storedtest keeps the forms in which types are stored: for each version
// there ever was it has a test hold a committed sample. A type that is stored
// otherwise than the sample of its version says fails the test, so that nobody
// changes what is in people's stores without a new version.
//
// It knows no type of Moat. Tests import it, nothing else.
package storedtest
