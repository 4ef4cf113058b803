package element

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"k8s.io/klog/v2"

	api "github.com/san-csi/san-csi/pkg/element"
	"github.com/san-csi/san-csi/pkg/san"
)

// CHAP is what nodes have to prove at their logins to an array.
type CHAP struct {
	Required bool // with secrets of the node's own, kept in its initiator on the array
	Mutual   bool // the array proves itself too
	// Rotation is how old a secret may grow: at a new grant an older one is
	// replaced, since a grant is what takes the new one to the node. 0 = any age.
	Rotation time.Duration
}

const (
	keyCHAP   = keyPrefix + "chap"   // of an access group, "1": its initiator must use CHAP
	keySecret = keyPrefix + "secret" // of an initiator: when its secrets were made, Unix milliseconds; their generation

	// Twelve bytes make sixteen characters, the longest that Element takes, of
	// the 96 bits that RFC 7143 §9.2.1 asks for.
	secretBytes = 12
)

// SetCHAP says what is required at grants from now on.
func (a *Array) SetCHAP(c CHAP) { a.chap.Store(&c) }

// checkKey refuses a node that secrets could not be sent to.
func (a *Array) checkKey(n san.Node) error {
	if a.chap.Load().Required && n.Key == "" {
		return fmt.Errorf("node %s announces no public key, which chap needs: its driver is older, or its kubelet has not registered it anew: %w", n, san.ErrBusy)
	}
	return nil
}

// errUnproved: the access group went after its initiator was given secrets.
var errUnproved = fmt.Errorf("the node's access group was deleted meanwhile: %w", san.ErrUnavailable)

// proof is how a node proves itself, and the access group whose initiator does.
type proof struct {
	san.CHAP
	group int64
}

// given is what is told with a grant; nil where nothing has to be proved.
func (p *proof) given() *san.CHAP {
	if p == nil {
		return nil
	}
	return &p.CHAP
}

// prove makes sure that the node's initiator logs in as is required, before it
// reaches one more volume, and returns with what. The group tells that its
// initiator needs CHAP, from before it does, so that where CHAP is and was off
// the array is asked nothing.
func (a *Array) prove(ctx context.Context, n san.Node, fresh bool) (*proof, error) {
	c := a.chap.Load()
	unlock, err := a.initiators.lock(ctx, n.IQN)
	if err != nil {
		return nil, err
	}
	defer unlock()
	g, err := a.findGroup(ctx, n.IQN)
	if err != nil || !c.Required && (g == nil || !g.chap) {
		return nil, err
	}
	g, i, err := a.initiatorOf(ctx, n, g)
	if !c.Required {
		if err != nil || g == nil {
			return nil, err
		}
		return nil, a.relax(ctx, g, i)
	}
	if err == nil && g == nil {
		g, i, err = a.makeProving(ctx, n)
	}
	if err == nil && !g.chap {
		err = a.markGroup(ctx, g, true)
	}
	if err != nil {
		return nil, err
	}
	chap, err := a.secure(ctx, i, *c, fresh)
	if err != nil {
		return nil, err
	}
	return &proof{*chap, g.ID}, nil
}

// stillProves tells whether the group that the volume came into is the one whose
// initiator was given the secrets: an initiator goes with its group.
func (a *Array) stillProves(n san.Node, p *proof) error {
	if p == nil {
		return nil
	}
	if g, known, _ := a.groups.get(n.IQN); !known || g.ID != p.group {
		return errUnproved
	}
	return nil
}

// initiatorOf is the initiator of the node's group; the group is nil where there
// is none. One that was seen and is gone is looked for once more.
func (a *Array) initiatorOf(ctx context.Context, n san.Node, g *group) (*group, api.Initiator, error) {
	for again := false; g != nil; again = true {
		if err := g.check(a.config.Cluster, n); err != nil {
			return nil, api.Initiator{}, err
		}
		found, err := a.client.ListInitiators(ctx, g.InitiatorIDs...)
		if err != nil && !api.IsName(err, api.XInitiatorDoesNotExist) {
			return nil, api.Initiator{}, err
		}
		at := slices.IndexFunc(found, func(i api.Initiator) bool {
			return strings.EqualFold(i.Name, n.IQN) && slices.Contains(i.Groups, g.ID)
		})
		if at >= 0 {
			return g, found[at], nil
		}
		if again {
			return nil, api.Initiator{}, errUnproved
		}
		a.groups.drop(n.IQN)
		a.groups.unsure()
		if g, err = a.findGroup(ctx, n.IQN); err != nil {
			return nil, api.Initiator{}, err
		}
	}
	return nil, api.Initiator{}, nil
}

// makeProving makes the node's group, with no volume in it yet.
func (a *Array) makeProving(ctx context.Context, n san.Node) (*group, api.Initiator, error) {
	if err := a.makeGroup(ctx, n, nil); err != nil {
		return nil, api.Initiator{}, err
	}
	g, err := a.findGroup(ctx, n.IQN)
	if err != nil {
		return nil, api.Initiator{}, err
	}
	g, i, err := a.initiatorOf(ctx, n, g)
	if err == nil && g == nil {
		err = errUnproved
	}
	return g, i, err
}

// secure gives the initiator secrets where it has none of ours or too old ones,
// and has the array ask for them. Sessions go on; the next login needs them.
func (a *Array) secure(ctx context.Context, i api.Initiator, c CHAP, fresh bool) (*san.CHAP, error) {
	username, err := a.username(ctx, i.Name)
	if err != nil {
		return nil, err
	}
	generation := generationOf(i)
	change := api.ModifyInitiatorRequest{ID: i.ID}
	old := c.Rotation > 0 && a.clock.Since(time.UnixMilli(generation)) >= c.Rotation
	if generation == 0 || i.InitiatorSecret == "" || i.TargetSecret == "" || fresh && old {
		generation = max(generation+1, a.clock.Now().UnixMilli())
		change.InitiatorSecret, change.TargetSecret = newSecret(), newSecret()
		i.InitiatorSecret, i.TargetSecret = change.InitiatorSecret, change.TargetSecret
		change.Attributes = maps.Clone(i.Attributes)
		if change.Attributes == nil {
			change.Attributes = api.Attributes{}
		}
		change.Attributes[keySecret] = quote(strconv.FormatInt(generation, 10))
	}
	if change.InitiatorSecret != "" || !i.RequireCHAP || i.CHAPUsername != username {
		change.CHAPUsername, change.RequireCHAP = username, new(true)
		if err := a.client.ModifyInitiator(ctx, change); err != nil {
			return nil, fail("set CHAP of initiator", i.Name, err)
		}
		klog.FromContext(ctx).Info("Initiator must log in by CHAP", "initiator", i.Name, "newSecret", change.InitiatorSecret != "", "mutual", c.Mutual)
	}
	proof := &san.CHAP{Username: username, Secret: san.Secret(i.InitiatorSecret), Generation: generation}
	if c.Mutual {
		proof.Target = san.Secret(i.TargetSecret)
	}
	return proof, nil
}

// relax has the array ask for nothing any more.
func (a *Array) relax(ctx context.Context, g *group, i api.Initiator) error {
	if i.RequireCHAP {
		if err := a.client.ModifyInitiator(ctx, api.ModifyInitiatorRequest{ID: i.ID, RequireCHAP: new(false)}); err != nil {
			return fail("end CHAP of initiator", i.Name, err)
		}
	}
	return a.markGroup(ctx, g, false)
}

func (a *Array) markGroup(ctx context.Context, g *group, chap bool) error {
	attributes := maps.Clone(g.Attributes)
	delete(attributes, keyCHAP)
	if chap {
		attributes[keyCHAP] = quote("1")
	}
	if err := a.client.ModifyVolumeAccessGroup(ctx, g.ID, attributes); err != nil {
		return fail("mark access group", g.ID, err)
	}
	g.Attributes, g.chap = attributes, chap
	a.groups.put(*g)
	return nil
}

// username tells the array and the initiator, so that a node keeps the secrets
// of several arrays apart. Element wants it unique.
func (a *Array) username(ctx context.Context, iqn string) (string, error) {
	info, err := a.clusterInfo(ctx)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(iqn))
	return "san-csi-" + info.UniqueID + "-" + hex.EncodeToString(sum[:8]), nil
}

// generationOf is 0 where the secrets are not of our making.
func generationOf(i api.Initiator) int64 {
	var text string
	if json.Unmarshal(i.Attributes[keySecret], &text) != nil {
		return 0
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

func newSecret() api.Secret {
	random := make([]byte, secretBytes)
	rand.Read(random) // never fails
	return api.Secret(base64.RawURLEncoding.EncodeToString(random))
}
