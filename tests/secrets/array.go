package secrets

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
)

// Array is how an array is reached.
type Array struct {
	Endpoint, Username, Password, CAFile string
}

// holder is an account or an initiator of the array's.
type holder struct {
	AccountID       int64
	InitiatorID     int64
	InitiatorSecret string
	TargetSecret    string
}

// Of is every secret of an array: the administrator's password, and the CHAP
// secrets of accounts and initiators.
func (a Array) Of(ctx context.Context) (map[string]string, error) {
	all := map[string]string{"array password": a.Password}
	for _, method := range []string{"ListAccounts", "ListInitiators"} {
		holders, err := a.list(ctx, method)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", method, err)
		}
		for _, h := range holders {
			of := fmt.Sprintf("of account %d", h.AccountID)
			if h.InitiatorID != 0 {
				of = fmt.Sprintf("of initiator %d", h.InitiatorID)
			}
			for name, secret := range map[string]string{"initiator secret ": h.InitiatorSecret, "target secret ": h.TargetSecret} {
				if secret != "" {
					all[name+of] = secret
				}
			}
		}
	}
	return all, nil
}

func (a Array) list(ctx context.Context, method string) ([]holder, error) {
	authority, err := os.ReadFile(a.CAFile)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(authority)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}
	defer transport.CloseIdleConnections()
	body := fmt.Appendf(nil, `{"method":%q,"params":{},"id":1}`, method)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.Endpoint, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.SetBasicAuth(a.Username, a.Password)
	resp, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	var answer struct {
		Result struct{ Accounts, Initiators []holder }
		Error  *struct{ Name string }
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return nil, err
	}
	if answer.Error != nil {
		return nil, fmt.Errorf("the array says %s", answer.Error.Name)
	}
	return append(answer.Result.Accounts, answer.Result.Initiators...), nil
}
