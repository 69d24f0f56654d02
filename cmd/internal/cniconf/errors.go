package cniconf

// Code is an error code of CNI 1.1.0, section 5.
type Code uint

// The codes that the plugins themselves answer with.
const (
	CodeVersion     Code = 1   // the version of the configuration is not supported
	CodeUnsupported Code = 2   // a field of the configuration is not supported
	CodeEnvironment Code = 4   // a CNI_ variable is missing or wrong
	CodeIO          Code = 5   // reading or writing failed
	CodeDecode      Code = 6   // the configuration is no JSON
	CodeConfig      Code = 7   // the configuration is wrong
	CodeNetns       Code = 8   // the pod's namespace cannot be used
	CodeTryAgain    Code = 11  // passing
	CodeUnavailable Code = 50  // STATUS: no ADD can be served
	CodeInternal    Code = 999 // a defect of Moat
)

// Error is the error object that a plugin prints: Msg says what is wrong and
// with what, Details what to do about it.
type Error struct {
	CNIVersion string `json:"cniVersion"`
	Code       Code   `json:"code"`
	Msg        string `json:"msg"`
	Details    string `json:"details,omitempty"`
}

func (e *Error) Error() string {
	if e.Details == "" {
		return e.Msg
	}
	return e.Msg + "; " + e.Details
}
