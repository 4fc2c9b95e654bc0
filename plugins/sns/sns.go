// Package sns sends text messages through Amazon SNS. It is a module of its own,
// so that AWS's SDK is in the binary of those who want it and of nobody else.
package sns

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sns/types"

	"github.com/countersign/countersign/ports/channel"
)

// Plugin is the channel.
func Plugin() channel.Plugin {
	return channel.DefineSender(channel.Descriptor{
		Type: "sns", Title: "Text message", Summary: "Sends a code by text message, through Amazon SNS.",
		Address: channel.Phone, Form: channel.FormSMS, Factor: channel.Possession, MaxAAL: 2, AMR: []string{"sms"},
	}, defaults, open)
}

func open(ctx context.Context, cfg Config, env channel.Env) (channel.Sender, error) {
	options := sns.Options{Region: cfg.Region, HTTPClient: brief{env.HTTP}, Retryer: aws.NopRetryer{}} // the core repeats
	if cfg.Endpoint != "" {
		options.BaseEndpoint = &cfg.Endpoint
	}
	if cfg.KeyID != "" {
		options.Credentials = credentials.NewStaticCredentialsProvider(cfg.KeyID, cfg.Secret.Reveal(), "")
		return sender{cfg, sns.New(options)}, nil
	}
	found, err := config.LoadDefaultConfig(ctx, config.WithRegion(cfg.Region), config.WithHTTPClient(brief{env.HTTP}))
	if err != nil {
		return nil, errors.New("access_key_id: no credentials are given, and AWS's own configuration cannot be read")
	}
	options.Credentials = found.Credentials
	return sender{cfg, sns.New(options)}, nil
}

type sender struct {
	cfg    Config
	client *sns.Client
}

// Send publishes one message to one number. SNS knows no idempotency key for
// these: when an answer is lost, the message is sent again.
func (s sender) Send(ctx context.Context, m channel.Message) (channel.Receipt, error) {
	out, err := s.client.Publish(ctx, &sns.PublishInput{PhoneNumber: &m.To, Message: &m.Text, MessageAttributes: s.attributes()})
	if err != nil {
		return channel.Receipt{}, explain(ctx, err)
	}
	id := aws.ToString(out.MessageId)
	if id == "" {
		return channel.Receipt{}, fmt.Errorf("%w: an answer that names no message", channel.ErrUnavailable)
	}
	return channel.Receipt{ID: id}, nil
}

// attributes say that a message is urgent, from whom it comes, and what it may cost.
func (s sender) attributes() map[string]types.MessageAttributeValue {
	text := func(kind, value string) types.MessageAttributeValue {
		return types.MessageAttributeValue{DataType: &kind, StringValue: &value}
	}
	list := map[string]types.MessageAttributeValue{"AWS.SNS.SMS.SMSType": text("String", "Transactional")}
	if s.cfg.SenderID != "" {
		list["AWS.SNS.SMS.SenderID"] = text("String", s.cfg.SenderID)
	}
	if s.cfg.Number != "" {
		list["AWS.MM.SMS.OriginationNumber"] = text("String", s.cfg.Number)
	}
	if s.cfg.MaxPrice > 0 {
		list["AWS.SNS.SMS.MaxPrice"] = text("Number", strconv.FormatFloat(s.cfg.MaxPrice, 'f', -1, 64))
	}
	return list
}

// Probe asks how the account sends text messages.
func (s sender) Probe(ctx context.Context) error {
	if _, err := s.client.GetSMSAttributes(ctx, &sns.GetSMSAttributesInput{}); err != nil {
		return explain(ctx, err)
	}
	return nil
}

// most is how many bytes of an answer are read; SNS says little.
const most = 64 << 10

// brief is a client that reads no more of an answer than that.
type brief struct{ *http.Client }

// Do makes one request.
func (b brief) Do(req *http.Request) (*http.Response, error) {
	resp, err := b.Client.Do(req)
	if err != nil {
		return nil, err
	}
	resp.Body = limited{io.LimitReader(resp.Body, most), resp.Body}
	return resp, nil
}

type limited struct {
	io.Reader
	io.Closer
}

// Interfaces that the host looks for.
var (
	_ channel.Sender = sender{}
	_ channel.Prober = sender{}
)
