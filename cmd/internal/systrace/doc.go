// Systrace PID writes down the system calls of a running process that change
// something outside it, as ptrace(2) shows them: a second opinion on what the
// process says of itself. It prints "following" when it sees all threads, then each
// call when it ends, until its own input ends; then it lets the process go on
// alone. The processes that the other starts are not followed.
//
// It is a program of its own because the parent of a process takes the stops that
// a tracer in itself waits for. Tests start it; it imports nothing of Moat.
//
// It sees requests to rtnetlink(7) and nfnetlink, frames on packet(7) sockets,
// writing requests of HTTP that are not encrypted, mounts, and everything that
// makes, writes, renames or removes files. What goes through memory that is mapped
// to a file it does not see. It knows the numbers of amd64 and arm64.
package main
