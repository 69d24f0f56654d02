// Package delegations keeps what an attachment had other plugins do: a file for
// each attachment, written before the first of them runs and removed when all of
// it is undone. So DEL, GC and a daemon that was killed know what there is to undo.
//
// It runs nothing and decides nothing; the agent does. Several processes may use a
// folder at once, since each reads the files anew; whoever changes the record of an
// attachment must be alone with that attachment. It imports ipam for the identity of
// attachments, cniconf for the call's variables and effect; the agent and node may import it.
package delegations
