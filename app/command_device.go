package app

import (
	"context"
	"encoding/base32"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/countersign/countersign/app/support"
)

func (c *cli) devices() *cobra.Command {
	cmd := &cobra.Command{Use: "device", Short: "Take over devices from another system"}
	cmd.AddCommand(c.deviceImport())
	return cmd
}

func (c *cli) deviceImport() *cobra.Command {
	in := support.Import{Act: support.Act{By: commandLine}}
	var who, file, encoding string
	var asJSON bool
	cmd := &cobra.Command{
		Use: "import", Short: "Bind an authenticator app that was set up with another system",
		Long: "Binds a device by the secret that it shares with the system it was set up with, so that its owner need\n" +
			"not set it up again. The file holds the secret in base 32, or in hex with --encoding hex, or the\n" +
			"otpauth URI; - is standard input. Digits, hash and period must be those of the channel.",
		Example: "  countersign device import --user grace@example.com --channel totp --secret-file secret.txt --name \"My phone\"",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if who == "" || file == "" {
				return usage(errors.New("say whose device it is with --user, and where its secret stands with --secret-file"))
			}
			var err error
			if in.Secret, err = readSecret(cmd.InOrStdin(), file, encoding); err != nil {
				return usage(err)
			}
			return c.sealing(cmd, func(ctx context.Context, d desk) error {
				if in.User, err = d.person(ctx, in.Tenant, who); err != nil {
					return err
				}
				one, err := d.Support.Import(ctx, in)
				if err != nil {
					return err
				}
				fmt.Fprintln(cmd.ErrOrStderr(), "Imported. Now remove the file with the secret. The person is told.")
				if asJSON {
					return json.NewEncoder(cmd.OutOrStdout()).Encode(map[string]string{"id": one.ID, "user": one.User, "tenant": one.Tenant, "channel": one.Channel, "name": one.Name})
				}
				fmt.Fprintln(cmd.OutOrStdout(), one.ID)
				return nil
			})
		},
	}
	actFlags(cmd, &in.Act, false)
	cmd.Flags().StringVar(&who, "user", "", "whose device: an id, or a whole address or user name; required")
	cmd.Flags().StringVar(&in.Channel, "channel", "totp", "what sort of device it is")
	cmd.Flags().StringVar(&file, "secret-file", "", "where its secret stands; required")
	cmd.Flags().StringVar(&encoding, "encoding", "base32", "how it is written: base32 or hex")
	cmd.Flags().StringVar(&in.Name, "name", "", "what its owner calls it")
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object")
	return cmd
}

// maxSecretFile is more than any secret needs, in bytes.
const maxSecretFile = 4096

var errSecret = errors.New("the file holds no secret in that encoding")

// readSecret reads a secret. Its errors never hold it.
func readSecret(stdin io.Reader, file, encoding string) ([]byte, error) {
	in := stdin
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, err
		}
		defer f.Close() //nolint:errcheck // it was only read
		in = f
	}
	raw, err := io.ReadAll(io.LimitReader(in, maxSecretFile))
	if err != nil {
		return nil, fmt.Errorf("read the secret: %w", err)
	}
	text := strings.TrimSpace(string(raw))
	if strings.HasPrefix(text, "otpauth://") {
		u, err := url.Parse(text)
		if err != nil {
			return nil, errSecret // the cause would hold it
		}
		text, encoding = u.Query().Get("secret"), "base32"
	}
	text = strings.NewReplacer(" ", "", "-", "", "\n", "", "\r", "").Replace(text)
	var secret []byte
	switch encoding {
	case "base32":
		secret, err = base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(strings.ToUpper(strings.TrimRight(text, "=")))
	case "hex":
		secret, err = hex.DecodeString(text)
	default:
		return nil, errors.New("--encoding is base32 or hex")
	}
	if err != nil || len(secret) == 0 {
		return nil, errSecret
	}
	return secret, nil
}
