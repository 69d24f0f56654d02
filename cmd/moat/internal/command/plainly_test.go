package command

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// moat runs a command line that reaches no daemon.
func moat(t *testing.T, line string) (stdout string, err error) {
	var out, log bytes.Buffer
	args := append(strings.Fields(line), "--socket", t.TempDir()+"/none.sock")
	err = Run(t.Context(), args, strings.NewReader(""), &out, &log)
	return out.String(), err
}

func TestWrongCommandLinesAreErrorsThatSayWhatIsRight(t *testing.T) {
	for line, says := range map[string]string{
		"foo":                              `moat has no command "foo", but: `,
		"statsu":                           "did you mean status?",
		"tenant foo":                       `moat tenant has no command "foo", but: create, delete, list, show`,
		"tenant lst":                       "did you mean list?",
		"provider foo":                     "but: create, show",
		"tenant create":                    "no arguments were given; the command is: moat tenant create NAME",
		"tenant create a b":                "2 arguments (a b) were given; the command is: moat tenant create NAME",
		"tenant delete":                    "moat tenant delete NAME",
		"status now":                       `too many arguments ("now") were given; the command is: moat status`,
		"topology a b":                     "moat topology [TENANT]",
		"status --foo":                     "unknown flag: --foo; see: moat status --help",
		"status --timeout soon":            `invalid argument "soon" for "--timeout"`,
		"tenant create a -o yaml":          "want text or json; see: moat tenant create --help",
		"topology -o text":                 "want tree or json",
		"tenant delete a --force=perhaps":  "see: moat tenant delete --help",
		"tenant list --log-level shouting": "none of debug, info, warn, error",
	} {
		t.Run(line, func(t *testing.T) {
			out, err := moat(t, line)
			require.ErrorContains(t, err, says)
			require.NotContains(t, err.Error(), "\n")
			require.Empty(t, out, "what is wrong goes to stderr")
		})
	}
}

// An empty variable of a script is no name.
func TestEmptyArgumentIsNoName(t *testing.T) {
	for _, command := range []string{"create", "show", "delete"} {
		var out, log strings.Builder
		err := Run(t.Context(), []string{"tenant", command, ""}, strings.NewReader(""), &out, &log)
		require.ErrorContains(t, err, "empty arguments were given; the command is: moat tenant "+command+" NAME")
	}
}

func TestHelpIsNoError(t *testing.T) {
	for _, line := range []string{"", "tenant", "tenant --help", "help tenant", "tenant delete --help"} {
		out, err := moat(t, line)
		require.NoError(t, err, line)
		require.Contains(t, out, "Usage:", line)
	}
}

func TestVersionNeedsNoDaemonEither(t *testing.T) {
	for _, line := range []string{"version", "--version"} {
		out, err := moat(t, line)
		require.NoError(t, err, line)
		require.Regexp(t, `^moat version \d+\.\d+\.\d+\n$`, out, line)
	}
}
