package element

import "context"

// Account is a tenant. Its CHAP secrets are not read.
type Account struct {
	AccountID int64  `json:"accountID"`
	Username  string `json:"username"`
	Status    string `json:"status"` // active, locked or removed
}

// GetAccountByName fails with XUnknownAccount where there is none.
func (c *Client) GetAccountByName(ctx context.Context, name string) (Account, error) {
	params := struct {
		Username string `json:"username"`
	}{name}
	var result struct {
		Account Account `json:"account"`
	}
	err := c.repeat(ctx, "GetAccountByName", params, &result)
	return result.Account, err
}

// AddAccount makes an account whose own CHAP login is off and returns its id.
// Names are unique: XDuplicateUsername where it is taken.
func (c *Client) AddAccount(ctx context.Context, name string) (int64, error) {
	params := struct {
		Username   string `json:"username"`
		EnableChap bool   `json:"enableChap"`
	}{name, false}
	var result struct {
		AccountID int64 `json:"accountID"`
	}
	err := c.once(ctx, "AddAccount", params, &result)
	return result.AccountID, err
}
