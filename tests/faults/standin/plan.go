package main

import (
	"crypto/sha256"
	"fmt"
	"strconv"
	"strings"
)

// A plan made from FROM, COPY --from and RUN lines alone: enough to give the operator the graph that
// the Dockerfile of a test asks for.

type stage struct {
	Index       int    `json:"index"`
	Name        string `json:"name"`
	Image       string `json:"image"`
	BaseName    string `json:"baseName"`
	BaseDigest  string `json:"baseDigest"`
	BaseStage   int    `json:"baseStage"`
	DependsOn   []int  `json:"dependsOn"`
	Steps       int    `json:"steps"`
	Line        int    `json:"line"`
	UsesContext bool   `json:"usesContext"`
}

func digestOf(text string) string { return fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(text))) }

func (s *stage) needs(index int) {
	for i, known := range s.DependsOn {
		if known == index {
			return
		}
		if known > index {
			s.DependsOn = append(s.DependsOn[:i], append([]int{index}, s.DependsOn[i:]...)...)
			return
		}
	}
	s.DependsOn = append(s.DependsOn, index)
}

func parseStages(dockerfile string) []stage {
	var stages []stage
	byName := map[string]int{}
	for number, line := range strings.Split(dockerfile, "\n") {
		words := strings.Fields(line)
		if len(words) < 2 {
			continue
		}
		switch strings.ToUpper(words[0]) {
		case "FROM":
			s := stage{Index: len(stages), Name: strconv.Itoa(len(stages)), BaseStage: -1, DependsOn: []int{}, Line: number + 1}
			if base, known := byName[words[1]]; known {
				s.BaseStage, s.Image = base, stages[base].Image
				s.needs(base)
			} else {
				s.BaseName, s.BaseDigest = words[1], digestOf(words[1])
				s.Image = "standin.invalid/" + strings.Split(words[1], ":")[0] + "@" + s.BaseDigest
			}
			if len(words) == 4 {
				s.Name = words[3]
			}
			byName[s.Name] = s.Index
			stages = append(stages, s)
		case "COPY", "RUN":
			s := &stages[len(stages)-1]
			s.Steps++
			if from, ok := strings.CutPrefix(words[1], "--from="); ok {
				s.needs(byName[from])
			}
		}
	}
	return stages
}

func planFrame(stages []stage, dockerfile string) object {
	return object{"type": "plan", "plan": object{"planDigest": digestOf(dockerfile), "target": len(stages) - 1,
		"stages": stages, "sourceRevision": "", "warnings": []any{}}}
}

func imageFrame(repository string, tags []any, stages int) object {
	digest := digestOf(repository + strconv.Itoa(stages))
	return object{"type": "image", "reference": repository + "@" + digest, "digest": digest,
		"mediaType": "application/vnd.oci.image.manifest.v1+json", "sizeBytes": 1 << 20, "layers": stages,
		"tags": tags, "pushedBytes": 1 << 20}
}
