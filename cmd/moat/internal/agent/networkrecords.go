package agent

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/moatnet/moat/cmd/internal/cniconf"
	"github.com/moatnet/moat/cmd/moat/internal/netsource"
	"github.com/moatnet/moat/ipam"
	"github.com/moatnet/moat/ipam/queue"
	"github.com/moatnet/moat/sdn/effect"
)

// networkRecord is what a pod's networks are to be, written before the first of
// them is made, so that they can be undone whatever becomes of this process and
// whatever the network source answers later.
type networkRecord struct {
	Attachment ipam.Attachment  `json:"attachment"`
	Env        cniconf.Env      `json:"env"`                // of the ADD
	Config     []byte           `json:"config"`             // of the ADD, as it came
	PodInode   uint64           `json:"podInode,omitempty"` // of the namespace at Env.Netns, where this process sees it
	BootID     string           `json:"bootID,omitempty"`   // of the boot in which it was
	At         time.Time        `json:"at"`
	Steps      []netsource.Step `json:"steps"`
	Done       bool             `json:"done"` // the ADD made all of them
}

// networkSchema is the version of a record's form. Records of before there were
// versions have none and are read as they are.
const networkSchema = 1

// storedNetworks is a record with the version of its form.
type storedNetworks struct {
	Schema int `json:"schema"`
	networkRecord
}

// recordFile is the record in a folder of its own, beside the results of the
// networks' plugins.
const recordFile = "record.json"

// networkRecords keeps a folder for each attachment of several networks, mode
// 0700. One call at a time works on an attachment.
type networkRecords struct {
	dir string // "": none are kept

	busy queue.Queue[ipam.Attachment]
}

// enter waits until nobody else works on the attachment.
func (s *networkRecords) enter(ctx context.Context, at ipam.Attachment) (queue.Leave, error) {
	leave, err := s.busy.Enter(ctx, at)
	if err != nil {
		return nil, fmt.Errorf("wait for another call for %s: %w", at, err)
	}
	return leave, nil
}

// folder is that of an attachment.
func (s *networkRecords) folder(at ipam.Attachment) string {
	sum := sha256.Sum256([]byte(at.Node + "/" + at.String()))
	return filepath.Join(s.dir, hex.EncodeToString(sum[:]))
}

// read returns nil when there is no record.
func (s *networkRecords) read(at ipam.Attachment) (*networkRecord, error) {
	if s.dir == "" {
		return nil, nil
	}
	return readRecord(filepath.Join(s.folder(at), recordFile))
}

func readRecord(file string) (*networkRecord, error) {
	b, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	rec := new(networkRecord)
	if err == nil {
		*rec, err = decodeNetworks(b)
	}
	if errors.Is(err, ipam.ErrNewer) {
		return nil, &cniconf.Error{Code: cniconf.CodeIO, Msg: fmt.Sprintf("record of a pod's networks %s: %v", file, err),
			Details: "let the newer program run again, or remove this file; what it named then has to be undone by hand"}
	}
	if err != nil {
		return nil, &cniconf.Error{Code: cniconf.CodeIO, Msg: fmt.Sprintf("record of a pod's networks %s: %v", file, err),
			Details: "repair or remove this file; what it named then has to be undone by hand"}
	}
	return rec, nil
}

func decodeNetworks(text []byte) (networkRecord, error) {
	var s storedNetworks
	if err := json.Unmarshal(text, &s); err != nil {
		return networkRecord{}, err
	}
	if s.Schema > networkSchema {
		return networkRecord{}, fmt.Errorf("its form has version %d, this program knows %d: %w", s.Schema, networkSchema, ipam.ErrNewer)
	}
	return s.networkRecord, nil
}

// list is all records; those that cannot be read are in the error.
func (s *networkRecords) list() (all []networkRecord, err error) {
	if s.dir == "" {
		return nil, nil
	}
	folders, err := os.ReadDir(s.dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("records of pods' networks: %w", err)
	}
	var errs []error
	for _, f := range folders {
		rec, err := readRecord(filepath.Join(s.dir, f.Name(), recordFile))
		errs = append(errs, err)
		if rec != nil {
			all = append(all, *rec)
		}
	}
	return all, errors.Join(errs...)
}

// write makes the record last: when it returns, a crash does not lose it.
func (s *networkRecords) write(rec networkRecord) error {
	b, err := json.Marshal(storedNetworks{networkSchema, rec})
	if err == nil {
		err = s.place(s.folder(rec.Attachment), b)
	}
	if err != nil {
		return &cniconf.Error{Code: cniconf.CodeIO, Msg: fmt.Sprintf("record a pod's networks: %v", err),
			Details: "the data directory must have room and be writable"}
	}
	return nil
}

// place writes a record under another name and renames it.
func (s *networkRecords) place(folder string, b []byte) error {
	err := effect.Do(effect.File, "create the folder of a pod's networks", func() error { return os.MkdirAll(folder, 0o700) })
	if err != nil {
		return err
	}
	name := filepath.Join(folder, recordFile)
	err = effect.Do(effect.File, "write a record of networks under another name", func() error {
		f, err := os.OpenFile(name+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
		if err != nil {
			return err
		}
		_, err = f.Write(b)
		return errors.Join(err, f.Sync(), f.Close())
	})
	if err == nil {
		err = effect.Do(effect.File, "place a record of networks", func() error { return os.Rename(name+".new", name) })
	}
	if err != nil {
		return err
	}
	return errors.Join(syncFolder(folder), syncFolder(s.dir))
}

func syncFolder(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}

// remove forgets an attachment; that it is not there is no error.
func (s *networkRecords) remove(at ipam.Attachment) error {
	err := effect.Do(effect.File, "remove the record of a pod's networks", func() error { return os.RemoveAll(s.folder(at)) })
	if err != nil {
		return fmt.Errorf("forget a pod's networks: %w", err)
	}
	return nil
}
