package containers

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"

	"github.com/testcontainers/testcontainers-go"
)

const (
	// postgresImage is taken from the engine if it is there, else pulled.
	postgresImage = "postgres:17-alpine"
	// ownLabel marks our containers beside testcontainers' own labels, so that
	// a sweep leaves other projects' containers alone.
	ownLabel = "com.github.countersign.test"
	// reaperVariable switches off testcontainers' cleaning container.
	reaperVariable = "TESTCONTAINERS_RYUK_DISABLED"
)

// startDocker runs PostgreSQL in a container.
func startDocker(ctx context.Context) (server, error) {
	if err := withoutReaper(); err != nil {
		return server{}, err
	}
	if err := engine(ctx); err != nil {
		return server{}, err
	}
	password := rand.Text()
	container, err := testcontainers.Run(ctx, postgresImage,
		testcontainers.WithEnv(map[string]string{"POSTGRES_PASSWORD": password}),
		testcontainers.WithCmd(append([]string{"postgres"}, settings()...)...),
		testcontainers.WithExposedPorts("5432/tcp"),
		testcontainers.WithLabels(map[string]string{ownLabel: "true"}),
	)
	stop := func() error {
		// PostgreSQL has nothing worth a slow end.
		return testcontainers.TerminateContainer(container, testcontainers.StopTimeout(0))
	}
	if err != nil {
		return server{}, errors.Join(fmt.Errorf("run %s: %w", postgresImage, err), stop())
	}
	dsn, err := await(ctx, container, password)
	if err != nil {
		return server{}, errors.Join(err, stop())
	}
	return server{dsn: dsn, stop: stop}, nil
}

// withoutReaper does without the cleaning container unless the environment
// says otherwise: its image would be one more to pull. Main stops what was
// started, and .ci/sweep removes what a killed run left.
func withoutReaper() error {
	if _, set := os.LookupEnv(reaperVariable); set {
		return nil
	}
	return os.Setenv(reaperVariable, "true")
}

// engine tells whether a Docker engine answers.
func engine(ctx context.Context) error {
	provider, err := testcontainers.NewDockerProvider()
	if err != nil {
		return fmt.Errorf("find the engine: %w", err)
	}
	if err := provider.Health(ctx); err != nil {
		return fmt.Errorf("reach the engine: %w", err)
	}
	return nil
}

// await returns the URL under which the container answers. Besides the host
// that testcontainers found it tries loopback: where the tests only look as
// if they ran inside a container, the former is a gateway that leads nowhere.
func await(ctx context.Context, container *testcontainers.DockerContainer, password string) (string, error) {
	port, err := container.MappedPort(ctx, "5432/tcp")
	if err != nil {
		return "", fmt.Errorf("find the container's port: %w", err)
	}
	host, err := container.Host(ctx)
	if err != nil {
		return "", fmt.Errorf("find the engine's host: %w", err)
	}
	var dsns []string
	for _, h := range slices.Compact([]string{host, "127.0.0.1"}) {
		dsns = append(dsns, address(net.JoinHostPort(h, port.Port()), password))
	}
	return awaitReady(ctx, dsns, func(ctx context.Context) error {
		state, err := container.State(ctx)
		if err != nil {
			return fmt.Errorf("look at the container: %w", err)
		}
		if !state.Running {
			return fmt.Errorf("the container ended with code %d", state.ExitCode)
		}
		return nil
	})
}
