package sns

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/countersign/countersign/ports/channel"
)

// explain puts a failure into the core's words. What AWS wrote is left out: it may
// quote the number.
func explain(ctx context.Context, err error) error {
	answered, ok := errors.AsType[*smithyhttp.ResponseError](err)
	if !ok || answered.Response == nil {
		if ctx.Err() != nil {
			return fmt.Errorf("%w: %w", channel.ErrUnavailable, ctx.Err())
		}
		return fmt.Errorf("%w: no answer", channel.ErrUnavailable)
	}
	byStatus := channel.StatusError(answered.Response.Response)
	if busy, ok := errors.AsType[*channel.ThrottledError](byStatus); ok {
		return busy
	}
	code := ""
	if said, ok := errors.AsType[smithy.APIError](err); ok {
		code = strings.TrimSuffix(said.ErrorCode(), "Exception")
	}
	switch code {
	case "Throttled", "Throttling", "TooManyRequests", "RequestLimitExceeded", "KMSThrottling":
		return &channel.ThrottledError{}
	case "InvalidParameter", "InvalidParameterValue", "ParameterValueInvalid", "OptedOut":
		return fmt.Errorf("%w: SNS error %s", channel.ErrUndeliverable, code)
	case "InternalError", "InternalFailure", "ServiceUnavailable":
		return fmt.Errorf("%w: SNS error %s", channel.ErrUnavailable, code)
	case "AuthorizationError", "InvalidSecurity", "InvalidClientTokenId", "SignatureDoesNotMatch", "AccessDenied", "ExpiredToken", "UserError",
		"OptInRequired", "IncompleteSignature", "MissingAuthenticationToken", "RequestExpired", "Validation", "NotFound":
		return fmt.Errorf("%w: SNS error %s", channel.ErrRefused, code)
	}
	if byStatus != nil {
		return byStatus
	}
	return fmt.Errorf("%w: an answer that is not known, HTTP status %d", channel.ErrUnavailable, answered.HTTPStatusCode())
}
