package api

import (
	"crypto/rand"
	"encoding/json"

	"github.com/san-csi/san-csi/pkg/softarray/iscsi"
	"github.com/san-csi/san-csi/pkg/softarray/store"
)

type wireAccount struct {
	ID               int64           `json:"accountID"`
	Username         string          `json:"username"`
	Status           string          `json:"status"`
	Volumes          []int64         `json:"volumes"`
	InitiatorSecret  string          `json:"initiatorSecret"`
	TargetSecret     string          `json:"targetSecret"`
	StorageContainer string          `json:"storageContainerID"`
	EnableCHAP       bool            `json:"enableChap"`
	Attributes       json.RawMessage `json:"attributes"`
}

const statusLocked = "locked"

func (c *call) toWireAccount(a store.Account) wireAccount {
	w := wireAccount{
		ID: a.ID, Username: a.Username, Status: statusActive, Volumes: list(c.tx.VolumesOf(a.ID)),
		InitiatorSecret: a.InitiatorSecret, TargetSecret: a.TargetSecret,
		StorageContainer: "00000000-0000-0000-0000-000000000000",
		EnableCHAP:       a.EnableCHAP, Attributes: object(a.Attributes),
	}
	if a.Locked {
		w.Status = statusLocked
	}
	return w
}

func accountMethods() map[string]method {
	return map[string]method{
		"AddAccount":       change(addAccount, "username"),
		"ModifyAccount":    change(modifyAccount, "accountID"),
		"RemoveAccount":    change(removeAccount, "accountID"),
		"GetAccountByID":   query(getAccountByID, "accountID"),
		"GetAccountByName": query(getAccountByName, "username"),
		"ListAccounts":     query(listAccounts),
	}
}

type accountParams struct {
	ID              integer    `json:"accountID"`
	Username        string     `json:"username"`
	Status          string     `json:"status"`
	InitiatorSecret secret     `json:"initiatorSecret"`
	TargetSecret    secret     `json:"targetSecret"`
	EnableCHAP      boolean    `json:"enableChap"`
	Attributes      attributes `json:"attributes"`
}

// account is the account that a parameter names by id.
func (c *call) account(id int64) (store.Account, error) {
	a, err := c.tx.Accounts().Get(id)
	return a, missing(err, accountDoesNotExist, "Illegal AccountID %d", id)
}

func addAccount(c *call, p accountParams) (any, error) {
	if err := room("accounts", int64(c.tx.Accounts().Len()), accountsMax); err != nil {
		return nil, err
	}
	a := store.Account{EnableCHAP: true}
	p.InitiatorSecret.Given, p.TargetSecret.Given = true, true
	if err := c.applyAccount(&a, p); err != nil {
		return nil, err
	}
	a, err := c.tx.AddAccount(a)
	return result{"account": c.toWireAccount(a), "accountID": a.ID}, err
}

func modifyAccount(c *call, p accountParams) (any, error) {
	a, err := c.account(int64(p.ID))
	if err != nil {
		return nil, err
	}
	if err := c.applyAccount(&a, p); err != nil {
		return nil, err
	}
	if p.Status != "" {
		if err := oneOf("status", p.Status, statusActive, statusLocked); err != nil {
			return nil, err
		}
		a.Locked = p.Status == statusLocked
	}
	if a.Locked {
		c.after(func(d Data) {
			d.Drop(func(s iscsi.Session) bool { return s.AccountID == a.ID })
		})
	}
	return result{"account": c.toWireAccount(a)}, c.tx.PutAccount(a)
}

// applyAccount changes what is given. Equal secrets are accepted: clients in
// the field send them.
func (c *call) applyAccount(a *store.Account, p accountParams) error {
	if p.Username != "" && p.Username != a.Username {
		if err := within("length of username", int64(len(p.Username)), 1, nameMax); err != nil {
			return err
		}
		if _, err := c.tx.AccountNamed(p.Username); err == nil {
			return failf(duplicateUsername, "Username %q is already in use", p.Username)
		}
		a.Username = p.Username
	}
	if err := p.InitiatorSecret.apply("initiatorSecret", &a.InitiatorSecret); err != nil {
		return err
	}
	if err := p.TargetSecret.apply("targetSecret", &a.TargetSecret); err != nil {
		return err
	}
	a.EnableCHAP = p.EnableCHAP.or(a.EnableCHAP)
	return p.Attributes.apply(&a.Attributes)
}

// apply sets a secret: absent keeps it, null or "" makes a new one.
func (s secret) apply(field string, to *string) error {
	if !s.Given {
		return nil
	}
	if s.Value == "" {
		*to = rand.Text()[:secretMax] // 80 bits
		return nil
	}
	if err := within("length of "+field, int64(len(s.Value)), secretMin, secretMax); err != nil {
		return err
	}
	*to = s.Value
	return nil
}

func removeAccount(c *call, p accountParams) (any, error) {
	a, err := c.account(int64(p.ID))
	if err != nil {
		return nil, err
	}
	if a.VolumeCount > 0 {
		return nil, failf(invalidParameter, "AccountID %d still has %d volumes, deleted ones included", a.ID, a.VolumeCount)
	}
	return result{}, c.tx.RemoveAccount(a.ID)
}

// Clients look for the message, the name or both.
func getAccountByID(c *call, p accountParams) (any, error) {
	a, err := c.tx.Accounts().Get(int64(p.ID))
	return result{"account": c.toWireAccount(a)}, missing(err, unknownAccount, unknownAccount)
}

func getAccountByName(c *call, p accountParams) (any, error) {
	a, err := c.tx.AccountNamed(p.Username)
	return result{"account": c.toWireAccount(a)}, missing(err, unknownAccount, unknownAccount)
}

type accountList struct {
	Start integer `json:"startAccountID"`
	Limit integer `json:"limit"`
}

func listAccounts(c *call, p accountList) (any, error) {
	limit, err := pageSize(p.Limit)
	if err != nil {
		return nil, err
	}
	accounts := []wireAccount{}
	for a, err := range c.tx.Accounts().From(int64(p.Start)) {
		if err != nil {
			return nil, err
		}
		if accounts = append(accounts, c.toWireAccount(a)); len(accounts) == limit {
			break
		}
	}
	return result{"accounts": accounts}, nil
}
