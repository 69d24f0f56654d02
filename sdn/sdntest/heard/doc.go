// Package heard keeps what is written to a log, for tests that read it while the
// writer goes on. It never writes anything itself. Tests alone import it.
package heard
