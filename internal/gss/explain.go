package gss

import (
	"errors"
	"fmt"
	"strings"

	"github.com/go-krb5/krb5/messages"
)

// remedies say what to do about the errors of KDCs and services that operators meet,
// by the names that RFC 4120 gives them.
var remedies = []struct{ name, what string }{
	{"KDC_ERR_C_PRINCIPAL_UNKNOWN", "the KDC does not know the principal; correct it, or add it to the KDC"},
	{"KDC_ERR_S_PRINCIPAL_UNKNOWN", "the KDC does not know the service's principal; correct server-principal, or add it to the KDC"},
	{"KDC_ERR_PREAUTH_FAILED", "the keytab has another key than the KDC; export the keytab again (kadmin: ktadd)"},
	{"Decrypting_Error", "the keytab has another key than the KDC; export the keytab again (kadmin: ktadd)"},
	{"KRB_AP_ERR_SKEW", "the clocks of this machine and of the KDC differ too much; set them (NTP)"},
	{"clock skew", "the clocks of this machine and of the KDC differ too much; set them (NTP)"},
	{"KDC_ERR_NAME_EXP", "the principal has expired; extend it at the KDC"},
	{"KDC_ERR_KEY_EXPIRED", "the principal's key has expired; change it at the KDC and export the keytab again"},
	{"KDC_ERR_CLIENT_REVOKED", "the principal is locked or disabled; unlock it at the KDC"},
	{"KDC_ERR_ETYPE_NOSUPP", "principal and KDC have no AES key in common; give the principal AES keys and export the keytab again"},
	{"KDC_ERR_POLICY", "the KDC's policy forbids it; ask its administrator"},
	{"KRB_AP_ERR_TKT_EXPIRED", "the ticket has expired; set the clocks (NTP)"},
	{"KRB_AP_ERR_MODIFIED", "the service has another key than the KDC; export the service's keytab again"},
	{"KRB_AP_ERR_BAD_INTEGRITY", "the other end has another key than the KDC; export its keytab again"},
	{"error sending to a KDC", "no KDC answers; check the addresses in [realms] of krb5.conf, and the network"},
	{"no KDCs defined", "name a KDC of the realm in [realms] of krb5.conf"},
	{"no KDC SRV records", "name a KDC of the realm in [realms] of krb5.conf"},
}

// explained adds what to do to an error of the library. It returns texts only: the
// library does not wrap what a KDC has said, so the text is all there is to go by.
func explained(err error) error {
	var said messages.KRBError
	text := err.Error()
	if errors.As(err, &said) {
		text = said.Error()
	}
	// Many layers say that they failed; the last one says why.
	if i := strings.LastIndex(text, " < "); i >= 0 {
		text = text[i+3:]
	} else if _, rest, found := strings.Cut(text, "[Root cause: "); found {
		_, text, _ = strings.Cut(rest, "] ")
	}
	for _, r := range remedies {
		if strings.Contains(err.Error(), r.name) {
			return fmt.Errorf("%s (%s; %s)", r.what, text, whereConfig())
		}
	}
	return fmt.Errorf("%s (%s)", text, whereConfig())
}
