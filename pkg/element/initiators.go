package element

import (
	"context"
	"errors"
	"strings"
)

// Initiator is an initiator that the array knows by name, with its CHAP secrets.
type Initiator struct {
	ID              int64      `json:"initiatorID"`
	Name            string     `json:"initiatorName"`
	Groups          []int64    `json:"volumeAccessGroups"`
	Attributes      Attributes `json:"attributes"`
	CHAPUsername    string     `json:"chapUsername"`
	RequireCHAP     bool       `json:"requireChap"`
	InitiatorSecret Secret     `json:"initiatorSecret"` // that the initiator proves
	TargetSecret    Secret     `json:"targetSecret"`    // that the array proves
}

// Secret is a CHAP secret, 12 to 16 characters. It does not show in logs and errors.
type Secret string

// String hides the secret.
func (Secret) String() string { return "[secret]" }

// GoString hides the secret.
func (Secret) GoString() string { return "[secret]" }

// ModifyInitiatorRequest changes what is given. A new secret counts for new
// logins; sessions stay.
type ModifyInitiatorRequest struct {
	ID              int64      `json:"initiatorID"`
	Attributes      Attributes `json:"attributes,omitempty"` // replaces all
	CHAPUsername    string     `json:"chapUsername,omitempty"`
	InitiatorSecret Secret     `json:"initiatorSecret,omitempty"`
	TargetSecret    Secret     `json:"targetSecret,omitempty"`
	RequireCHAP     *bool      `json:"requireChap,omitempty"` // the initiator must use its own secrets, in access groups too
}

type initiatorsResult struct {
	Initiators []Initiator `json:"initiators"`
}

// ListInitiators returns those of the ids that there are.
func (c *Client) ListInitiators(ctx context.Context, ids ...int64) ([]Initiator, error) {
	params := struct {
		Initiators []int64 `json:"initiators"`
	}{ids}
	var result initiatorsResult
	err := c.repeat(ctx, "ListInitiators", params, &result)
	return result.Initiators, err
}

// ModifyInitiator changes an initiator: XInitiatorDoesNotExist where there is none.
func (c *Client) ModifyInitiator(ctx context.Context, r ModifyInitiatorRequest) error {
	params := struct {
		Initiators []ModifyInitiatorRequest `json:"initiators"`
	}{[]ModifyInitiatorRequest{r}}
	return hide(c.repeat(ctx, "ModifyInitiators", params, nil), r.InitiatorSecret, r.TargetSecret)
}

// hide keeps secrets out of an array's refusal, which may repeat what it was sent.
func hide(err error, secrets ...Secret) error {
	refusal, ok := errors.AsType[*Error](err)
	if !ok {
		return err
	}
	for _, s := range secrets {
		if s != "" {
			refusal.Message = strings.ReplaceAll(refusal.Message, string(s), "[secret]")
		}
	}
	return err
}
