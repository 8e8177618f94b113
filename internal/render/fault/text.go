package fault

import (
	"regexp"
	"strconv"
	"strings"
)

var (
	yamlLine     = regexp.MustCompile(`yaml: line (\d+)`)
	unknownField = regexp.MustCompile(`unknown field "([^"]+)"`)
	userInfo     = regexp.MustCompile(`(:/+)[^/@\s'"]+@`)
)

// YAMLLine returns the line that an error of a YAML library names, or 0.
func YAMLLine(text string) int {
	if match := yamlLine.FindStringSubmatch(text); match != nil {
		if line, err := strconv.Atoi(match[1]); err == nil {
			return line
		}
	}
	return 0
}

// ReplaceYAMLLine puts another line into the text of such an error.
func ReplaceYAMLLine(text string, line int) string {
	return yamlLine.ReplaceAllLiteralString(text, "yaml: line "+strconv.Itoa(line))
}

// KustomizationLine returns the line that an error about the kustomization with this content is about, or 0. For
// unknown fields, where kustomize names none, it is the first line that has the field.
func KustomizationLine(text string, content []byte) int {
	if line := YAMLLine(text); line > 0 {
		return line
	}
	match := unknownField.FindStringSubmatch(text)
	if match == nil {
		return 0
	}
	for i, line := range strings.Split(string(content), "\n") {
		key, _, found := strings.Cut(strings.TrimLeft(line, "- {\t"), ":")
		if found && strings.Trim(key, `"' `) == match[1] {
			return i + 1
		}
	}
	return 0
}

// Redact removes user names and passwords from the URLs in text, and from what remains of a URL that kustomize took for
// a path.
func Redact(text string) string {
	return userInfo.ReplaceAllString(text, "$1")
}
