package main

import (
	"strconv"

	"github.com/spf13/cobra"

	"usherd/connector"
	"usherd/connector/report"
)

func (a *app) seatsCmd() *cobra.Command {
	var o outputFlag
	var orgID string
	cmd := &cobra.Command{
		Use: "seats", Short: "Show how many seats of each package are used, free and waited for", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withStore(cmd.Context(), func(s *site) error {
				if err := s.knows(orgID, ""); err != nil {
					return err
				}
				type row struct {
					Org string `json:"org"`
					connector.SeatCount
					Free int `json:"free"` // connector.Unlimited = unlimited
				}
				rows := []row{}
				for _, org := range s.orgs {
					if orgID != "" && orgID != org.Org.ID {
						continue
					}
					seats, err := s.db.Seats(cmd.Context(), org.Org.ID)
					if err != nil {
						return err
					}
					for _, c := range seats {
						free := c.Free()
						if c.Seats == connector.Unlimited {
							free = connector.Unlimited
						}
						rows = append(rows, row{org.Org.ID, c, free})
					}
				}
				if o.json() {
					return writeJSON(a.out, map[string]any{"seats": rows})
				}
				tab := report.NewTable(a.out, a.width(), report.Column{Title: "Organization"}, report.Column{Title: "Package"},
					report.Column{Title: "Name", Flex: true}, report.Column{Title: "Seats", Right: true}, report.Column{Title: "Used", Right: true},
					report.Column{Title: "Free", Right: true}, report.Column{Title: "Waiting", Right: true})
				for _, r := range rows {
					tab.Row(r.Org, r.Package, r.Name, seatNumber(r.Seats), strconv.Itoa(r.Used), seatNumber(r.Free), strconv.Itoa(r.Waiting))
				}
				return tab.Flush()
			})
		},
	}
	cmd.Flags().StringVar(&orgID, "org", "", "organization (default: all)")
	o.add(cmd, "text", "json")
	return cmd
}

func seatNumber(n int) string {
	if n == connector.Unlimited {
		return "unlimited"
	}
	return strconv.Itoa(n)
}
