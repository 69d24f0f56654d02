package crash

// What several undos take back, each of which does where the others do not.
const (
	engineDrops = "delete an interface that no plan wants"
	pairOfAdd   = "remove the pair of an ADD that failed"
	pairNotSet  = "remove a pair that was not set up"
	pairInWay   = "remove a pair that is in the way, by its host end"
	emptyFile   = "remove the empty file of a namespace"
)

// mended are undos that the matrix does not miss when they are taken out alone,
// because others take back the same a little later: with those out too it does.
var mended = map[string][]string{
	// A pair without a port, or without a record, is removed by the engine.
	"remove the pair of an attachment": {engineDrops},
	"abandon a pair without a lease":   {engineDrops},
	pairNotSet:                         {pairOfAdd, engineDrops},
	pairOfAdd:                          {pairNotSet, engineDrops},
	// A pair without a stamp is in the way of the second try of its ADD.
	"remove a pair that was not stamped": {pairInWay, pairOfAdd, engineDrops},
	// A file without a namespace is removed when it has some age.
	"remove the file of a namespace that was unpinned":   {emptyFile},
	"remove the file of a namespace that was not pinned": {emptyFile},
}

// elsewhere are undos that no kill and no failing step of one daemon brings about,
// and where they are tested.
var elsewhere = map[string]string{
	"delete a port that came after its attachment was undone": "an endpoint does what it was asked after it was given up: tenant, TestPortThatComesAfterItsAttachmentWasUndoneIsRemoved",
	"delete a tenant's route of the provider":                 "this topology deletes routes with their port, others may not: tenant, TestWaysToOwnSubnets",
}

// fewUndos are taken out by `make test`, in the scene that brings them about.
var fewUndos = []string{
	"delete the port of an ADD that failed",
	"release the lease of an ADD that failed",
	"detach what an ADD may have leased",
}
