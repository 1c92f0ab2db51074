package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
)

// What lib/base/seal.h describes, once more: a pod of ours is recognised by it, so a stand-in for a
// pod must be able to do it. The operator reading these frames is the proof that both agree.

func mac(key []byte, message string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(message))
	return h.Sum(nil)
}

// sealer speaks for one attempt.
type sealer struct {
	key     []byte
	runID   string
	role    string // prepare, publish, or a stage's index
	attempt int
}

// sealerOfRun derives the attempt's key from the run's.
func sealerOfRun(runKey []byte, runID, role string, attempt int) sealer {
	return sealer{mac(runKey, "attempt-key\n"+role+"\n"+strconv.Itoa(attempt)), runID, role, attempt}
}

func (s sealer) seal(kind, body string) string {
	digest := sha256.Sum256([]byte(body))
	return hex.EncodeToString(mac(s.key, fmt.Sprintf("stagewright-seal-1\n%s\n%s\n%d\n%s\n%x", s.runID, s.role, s.attempt, kind, digest)))
}

func (s sealer) frame(body any) string {
	text, _ := json.Marshal(body)
	return "##stagewright " + s.seal("frame", string(text)) + " " + string(text)
}

func (s sealer) termination(body any) string {
	text, _ := json.Marshal(body)
	return s.seal("termination", string(text)) + "\n" + string(text)
}
